"""The sigmoid loss of SigLIP: every pair is its own yes-or-no question."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.losses.base import ScoreLoss
from polyglance.losses.pairs import (
    Reduction,
    both_directions,
    check_positive,
    check_reduction,
    reduce_over_pairs,
)


class SigLIP(ScoreLoss):
    """Logistic loss over all pairs, with a learned scale and bias.

    With z = 1 for positive pairs and −1 for the others:

        −(1/B) Σ_ij log σ( z_ij · (e^t′ · s_ij + b) )

    Zhai et al. 2023 (Sigmoid loss for language-image pre-training), section 3.2 and algorithm 1.
    It is symmetric, so its terms are not the two directions but ``positives`` and ``negatives``.
    Several texts an image need no special case. B is the number of positive pairs, which is the
    paper's batch size where each text has its own image; the paper does not say more.

    Args:
        scale: e^t′ to start from; 10 in the paper.
        bias: b to start from; −10 in the paper, near the log-odds of a pair being positive, so
            that the many negatives do not drown the first steps.
        reduction: ``mean`` divides by the number of positive pairs, ``sum`` does not.

    Raises:
        ValueError: the scale is not positive, the bias not finite, or the reduction unknown.
    """

    def __init__(
        self, *, scale: float = 10.0, bias: float = -10.0, reduction: Reduction = "mean"
    ) -> None:
        super().__init__()
        check_positive("scale", scale, "it is learned through its logarithm")
        if not math.isfinite(bias):
            raise ValueError(f"bias is {bias}; it must be finite")
        check_reduction(reduction)
        self.reduction = reduction
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = nn.Parameter(torch.tensor(float(bias)))

    def forward(self, scores: Tensor, positives: Tensor) -> dict[str, Tensor]:
        """(images, texts) scores and bool positives → ``positives``, ``negatives``."""
        scores, positives = both_directions(scores, positives)["image_to_text"]
        logits = self.log_scale.exp() * scores + self.bias  # (images, texts)
        pairs = positives.sum().clamp(min=1) if self.reduction == "mean" else 1
        return {
            "positives": reduce_over_pairs(-functional.logsigmoid(logits), positives, "sum")
            / pairs,
            "negatives": reduce_over_pairs(-functional.logsigmoid(-logits), ~positives, "sum")
            / pairs,
        }
