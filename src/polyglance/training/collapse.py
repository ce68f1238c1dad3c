"""Notices a run whose embeddings have fallen together, before it has cost a night.

With every score alike, a contrastive loss takes one known value: 2·B·α for the maximum of hinges
summed over B pairs (the plateau of VSE++), log B for InfoNCE. That value is not tabulated here but
asked of the loss itself, with all scores equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from polyglance.losses.base import ScoreLoss

if TYPE_CHECKING:
    from torch import Tensor, nn

    from polyglance.data.batch import Batch
    from polyglance.systems.base import System

PATIENCE = 200  # steps
TOLERANCE = 0.01  # of the plateau


def plateau(loss: nn.Module | None, positives: Tensor) -> float | None:
    """The loss of a batch whose scores are all equal, or ``None`` for a loss not over scores."""
    if not isinstance(loss, ScoreLoss):
        return None
    was_training = loss.training
    loss.eval()  # a loss that counts its training steps must not count this
    with torch.no_grad():
        terms = loss(torch.zeros(positives.shape), positives)
    loss.train(was_training)
    return sum(float(term) for term in terms.values())


def plateau_of_batch(system: System, batch: Batch) -> float | None:
    """The whole loss of a batch whose scores are all equal, with its parallel text if it has any.

    ``None`` where a loss is not over scores.
    """
    parts = system.parts()
    expected = plateau(parts.get("loss"), batch.positives)
    each = [plateau(parts.get("loss.text"), pairs.positives) for pairs in batch.parallel]
    told = [value for value in each if value is not None]
    if expected is None or len(told) < len(each):
        return None
    return expected + (sum(told) / len(told) if told else 0.0)


class CollapseGuard:
    """Counts steps during which the loss sits on its plateau.

    Args:
        patience: steps of it before the warning.
        tolerance: how near is on it, as a share of the plateau.
    """

    def __init__(self, *, patience: int = PATIENCE, tolerance: float = TOLERANCE) -> None:
        self._patience, self._tolerance = patience, tolerance
        self.steps = 0

    def warning(self, loss: float, expected: float | None, *, steps: int = 1) -> str | None:
        """The warning, once, at the step where patience ends; else ``None``.

        Args:
            loss: of the present step.
            expected: the plateau, or ``None`` where there is none.
            steps: since the last look.
        """
        if expected is None or abs(loss - expected) > self._tolerance * abs(expected):
            self.steps = 0
            return None
        before, self.steps = self.steps, self.steps + steps
        if not before < self._patience <= self.steps:
            return None
        return (
            f"the loss has been at {expected:.4g} for {self._patience} steps, which is what equal "
            "scores everywhere give: the embeddings have collapsed. Lower the learning rate, warm "
            "it up, or begin with a loss over all negatives (sum_of_hinges, annealed_hinges)"
        )
