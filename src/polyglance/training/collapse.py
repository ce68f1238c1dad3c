"""Notices a run whose embeddings have fallen together, before it has cost a night.

With every score alike, a contrastive loss takes one known value: 2·B·α for the maximum of hinges
summed over B pairs (the plateau of VSE++), log B for InfoNCE. That value is not tabulated here but
asked of the loss itself, with all scores equal.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from polyglance.losses.base import ScoreLoss

if TYPE_CHECKING:
    from torch import Tensor, nn

    from polyglance.data.batch import Batch
    from polyglance.systems.base import System

PATIENCE, MEMORY = 200, 50  # steps
ABOVE, BELOW = 0.02, 0.0075  # of the plateau
"""The maximum of hinges, collapsed, scattered by .65 % from step to step in runs over Flickr8k; the
mean of ten looks stayed between .8 % above the plateau and .7 % below."""


def plateau(loss: nn.Module | None, positives: Tensor) -> float | None:
    """The loss of a batch whose scores are all equal, or ``None`` for a loss not over scores."""
    if not isinstance(loss, ScoreLoss):
        return None
    was_training = loss.training
    loss.eval()  # a loss that counts its training steps must not count this
    with torch.no_grad():
        terms = loss(torch.zeros(positives.shape, device=positives.device), positives)
    loss.train(was_training)
    return sum(float(term) for term in terms.values())


def plateau_of_batch(system: System, batch: Batch) -> float | None:
    """The whole loss of a batch whose scores are all equal, with its parallel text if it has any.

    The batch is that of all processes which train the system together, and all have to ask.

    ``None`` where a loss is not over scores.
    """
    parts = system.parts()
    gather = system.gatherer
    expected = plateau(parts.get("loss"), gather.positives(batch))
    of_texts = (gather.translations(pairs) for pairs in batch.parallel)
    each = [plateau(parts.get("loss.text"), positives) for positives in of_texts]
    told = [value for value in each if value is not None]
    if expected is None or len(told) < len(each):
        return None
    return expected + (sum(told) / len(told) if told else 0.0)


class CollapseGuard:
    """Counts steps during which the loss, averaged over the last ones, sits on its plateau.

    Single batches scatter around a plateau by more than what tells it from learning, so a running
    mean is looked at. It may be further above the plateau than below: embeddings that fall together
    come down to it as their scores become equal, and a run that learns goes below.

    Args:
        patience: steps on the plateau before the warning.
        memory: steps that the running mean reaches back.
        above: how far above the plateau is still on it, as a share of it.
        below: how far below.

    Attributes:
        steps: that it has been there without a break.
        mean: running mean of the loss in plateaus, or ``None`` before the first look.
    """

    def __init__(
        self,
        *,
        patience: int = PATIENCE,
        memory: int = MEMORY,
        above: float = ABOVE,
        below: float = BELOW,
    ) -> None:
        self._patience, self._memory = patience, memory
        self._lowest, self._highest = 1 - below, 1 + above
        self.steps = 0
        self.mean: float | None = None

    def warning(self, loss: float, expected: float | None, *, steps: int = 1) -> str | None:
        """The warning, once, at the step where patience ends; else ``None``.

        Args:
            loss: of the present step.
            expected: the plateau, or ``None`` where there is none.
            steps: since the last look.
        """
        if not expected:
            self.steps, self.mean = 0, None
            return None
        height = loss / expected
        share = 1 - math.exp(-steps / self._memory)
        self.mean = height if self.mean is None else self.mean + share * (height - self.mean)
        if not self._lowest <= self.mean <= self._highest:
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
