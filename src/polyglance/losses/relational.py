"""Learning from another network how alike things are, not where they lie."""

from __future__ import annotations

from torch import Tensor, nn

from polyglance.losses.pairs import check_positive
from polyglance.precision import at_least_float32


class RelationalDistillation(nn.Module):
    """The student's similarities within a batch should be distributed as the teacher's.

    With similarities t of the teacher and s of the student between the same rows and columns, each
    row becomes a distribution, and so does each column::

        ½ · mean_i KL( softmax(t_i·/τ_t) ‖ softmax(s_i·/τ) )
      + ½ · mean_j KL( softmax(t_·j/τ_t) ‖ softmax(s_·j/τ) )

    The teacher takes no gradient. It may live in a space of its own, of another dimension: only its
    similarities count. The two halves of NRCCR's similarity-based distillation (Wang et al., ACM
    Multimedia 2022) are cross-entropies, which differ from these by the teacher's entropy: the
    gradients are the same, and here 0 says that both agree. For CL2CM (Wang et al., AAAI 2024)
    "relational distillation" in this form is our interpretation. No factor τ² as in Hinton et al.
    2015: τ is fixed, and the loss has a weight.

    Args:
        temperature: τ, of the student; .07 in NRCCR's code.
        teacher_temperature: τ_t; ``None``: as the student's.

    Raises:
        ValueError: a temperature is not positive.
    """

    def __init__(
        self, *, temperature: float = 0.07, teacher_temperature: float | None = None
    ) -> None:
        super().__init__()
        check_positive("temperature", temperature, "similarities are divided by it")
        self.temperature = temperature
        self.teacher_temperature = (
            temperature if teacher_temperature is None else teacher_temperature
        )
        check_positive("teacher_temperature", self.teacher_temperature, "it divides, too")

    def forward(self, teacher: Tensor, student: Tensor) -> dict[str, Tensor]:
        """Named terms: ``relations_of_rows`` and ``relations_of_columns``.

        Args:
            teacher: (rows, columns) similarities, of which no gradient is taken.
            student: (rows, columns) similarities of the same.

        Raises:
            ValueError: the shapes differ, or there is nothing to compare.
        """
        if teacher.shape != student.shape or teacher.dim() != 2 or not teacher.numel():
            raise ValueError(
                "teacher and student must compare the same rows and columns; got "
                f"{tuple(teacher.shape)} and {tuple(student.shape)}"
            )
        target = at_least_float32(teacher.detach()) / self.teacher_temperature
        logits = at_least_float32(student) / self.temperature
        return {
            "relations_of_rows": 0.5 * _divergence(target, logits),
            "relations_of_columns": 0.5 * _divergence(target.T, logits.T),
        }


def _divergence(target: Tensor, logits: Tensor) -> Tensor:
    """The mean over rows of KL(softmax(target) ‖ softmax(logits))."""
    expected, found = target.log_softmax(1), logits.log_softmax(1)  # (rows, columns)
    each = expected.exp() * (expected - found)
    return each.sum(1).mean()
