"""Masked region classification: what is the region that is hidden, or that a text speaks of?"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from polyglance.precision import at_least_float32
from polyglance.pretraining.chosen import chosen_rows

TOLERANCE = 0.1  # how far from 1 the probabilities of a usable label may sum


class MaskedRegionClassification(nn.Module):
    """Soft labels of chosen regions, predicted from their states (MRC).

    VL-BERT (Su et al. 2020, section 3.3) learns the class that its detector thinks likeliest, and
    its code the detector's whole distribution. The divergence from that distribution, as in UNITER
    (Chen et al. 2020, "MRC-kl"), has the same gradients, and is zero where all is learned::

        l = KL(p ‖ q) = Σ_c p_c (log p_c − log q_c),    q = softmax(head(state))

    averaged over the chosen regions. As in VL-BERT's code a region whose probabilities do not sum
    to 1 ± 0.1 (padding; files that keep only the likeliest classes) is left out.

    Args:
        width: of the states.
        classes: number of classes.
    """

    def __init__(self, *, width: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width), nn.Linear(width, classes)
        )

    def forward(self, states: Tensor, probabilities: Tensor, chosen: Tensor) -> Tensor:
        """The divergence of predictions from soft labels.

        Args:
            states: (n, regions, width).
            probabilities: (n, regions, classes), the soft labels.
            chosen: (n, regions) bool.

        Returns:
            A scalar; 0 where no chosen region has a usable label.
        """
        probabilities = at_least_float32(probabilities)
        usable = chosen & ((probabilities.sum(-1) - 1).abs() < TOLERANCE)  # (n, regions)
        rows, chosen = chosen_rows(usable)  # (rows,) each
        logits = at_least_float32(self.head(states.flatten(0, 1)[rows]))  # (rows, classes)
        wanted = probabilities.flatten(0, 1)[rows] * chosen[:, None]  # no divergence from zeros
        total = functional.kl_div(logits.log_softmax(-1), wanted, reduction="sum")
        return total / usable.sum().clamp(min=1)
