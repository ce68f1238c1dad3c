"""InfoNCE as in CLIP: cross-entropy in both directions, with a learned scale."""

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
    log_sum_exp_of_negatives,
)


class InfoNCE(ScoreLoss):
    """Half the cross-entropy over rows and half that over columns.

    For a query q with positives P and negatives N, and scores multiplied by the scale 1/τ:

        −(1/|P|) Σ_p∈P log( exp s(q, p) / (exp s(q, p) + Σ_n∈N exp s(q, n)) )

    van den Oord et al. 2018, eq. 4; symmetric with a learned, clamped scale as in Radford et al.
    2021 (CLIP), section 2.3 and figure 3, to which it is equal where each text has its own image.

    Several positives (CLIP has none): each is judged against the negatives alone, the query's
    other positives being masked out of its denominator, and the log-probabilities are averaged.
    With them in the denominator, true captions would compete, and k of them could not get below
    log k. The average lets each query weigh the same however many captions it has, in however many
    languages. A query without positives adds nothing; one without negatives adds zero.

    Args:
        scale: 1/τ to start from, or for good; 1/.07 in CLIP.
        learnable: train the scale's logarithm, with the other parameters.
        maximum_scale: a learned scale is cut back to this after each step; 100 in CLIP.
        reduction: over queries that have a positive; CLIP takes the mean.

    Raises:
        ValueError: a scale is not positive or exceeds its maximum, or the reduction is unknown.
    """

    log_scale: Tensor

    def __init__(
        self,
        *,
        scale: float = 1 / 0.07,
        learnable: bool = True,
        maximum_scale: float = 100.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        check_positive("scale", scale, "scores are multiplied by it")
        check_positive("maximum_scale", maximum_scale, "it bounds the scale")
        check_reduction(reduction)
        if learnable and scale > maximum_scale:
            raise ValueError(f"scale {scale} exceeds maximum_scale {maximum_scale}")
        self.maximum_scale = maximum_scale
        self.reduction = reduction
        log_scale = torch.tensor(math.log(scale))
        if learnable:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    def forward(self, scores: Tensor, positives: Tensor) -> dict[str, Tensor]:
        """(images, texts) scores and bool positives → ``image_to_text``, ``text_to_image``."""
        directions = both_directions(scores, positives)
        scale = self.scale
        return {
            name: 0.5 * self._one_direction(scale * each, mask)
            for name, (each, mask) in directions.items()
        }

    @property
    def scale(self) -> Tensor:
        """What scores are multiplied by: 1/τ, within its bound."""
        if isinstance(self.log_scale, nn.Parameter):
            # Clamped in place: a clamp inside the graph would stop the gradient at the bound, and
            # a scale that once went over could never come back.
            with torch.no_grad():
                self.log_scale.clamp_(max=math.log(self.maximum_scale))
        return self.log_scale.exp()

    def _one_direction(self, logits: Tensor, positives: Tensor) -> Tensor:
        against, contrasted = log_sum_exp_of_negatives(logits, positives)  # (queries, 1) each
        losses = -functional.logsigmoid(logits - against)  # (queries, candidates)
        losses = losses.masked_fill(~(positives & contrasted), 0.0)
        per_query = losses.sum(dim=1) / positives.sum(dim=1).clamp(min=1)  # (queries,)
        total = per_query.sum()
        if self.reduction == "sum":
            return total
        return total / positives.any(dim=1).sum().clamp(min=1)
