"""From the sum of hinges to the max of hinges as training goes on."""

from __future__ import annotations

import torch
from torch import Tensor

from polyglance.losses.base import ScoreLoss
from polyglance.losses.max_of_hinges import MaxOfHinges
from polyglance.losses.pairs import Reduction
from polyglance.losses.sum_of_hinges import SumOfHinges


class AnnealedHinges(ScoreLoss):
    """λ·(max of hinges) + (1 − λ)·(sum of hinges), with λ = 1 − η^ε.

    Wehrmann et al. 2019 (LIWE), eqs. 2–5. The sum teaches embeddings that are still random, which
    the single hardest negative cannot; the max then takes over.

    ε is the number of training steps already taken, so the first step is the pure sum. It is kept
    in a buffer, so that a resumed run continues exactly. Deviation: the authors' code also counts
    validation batches; here only calls in training mode advance ε.

    Args:
        margin: α of both parts.
        eta: η; .991 in the paper, which puts λ at one half after 77 steps.
        reduction: over positive pairs; the authors' code sums.

    Raises:
        ValueError: the margin is not positive, η not strictly between 0 and 1, or the reduction
            unknown.
    """

    steps: Tensor

    def __init__(
        self, *, margin: float = 0.2, eta: float = 0.991, reduction: Reduction = "sum"
    ) -> None:
        super().__init__()
        if not 0 < eta < 1:
            raise ValueError(
                f"eta is {eta}; it must lie strictly between 0 and 1: λ = 1 − η^ε has to grow "
                "from 0 to 1 (for one loss alone use the sum or the max of hinges)"
            )
        self.eta = eta
        self.sum_of_hinges = SumOfHinges(margin=margin, reduction=reduction)
        self.max_of_hinges = MaxOfHinges(margin=margin, reduction=reduction)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def weight_of_max(self) -> float:
        """λ of the next call."""
        return 1.0 - self.eta ** int(self.steps)

    def forward(self, scores: Tensor, positives: Tensor) -> dict[str, Tensor]:
        """(images, texts) scores and bool positives → ``image_to_text``, ``text_to_image``."""
        weight = self.weight_of_max
        sums = self.sum_of_hinges(scores, positives)
        maxima = self.max_of_hinges(scores, positives)
        if self.training:
            self.steps += 1
        return {name: weight * maxima[name] + (1 - weight) * sums[name] for name in sums}
