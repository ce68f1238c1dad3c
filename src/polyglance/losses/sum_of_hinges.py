"""The sum triplet loss: every negative that comes within the margin counts."""

from __future__ import annotations

import torch
from torch import Tensor

from polyglance.losses.base import ScoreLoss
from polyglance.losses.pairs import (
    Reduction,
    both_directions,
    check_positive,
    check_reduction,
)


class SumOfHinges(ScoreLoss):
    """Sum of hinges over all negatives of each positive pair, in both directions.

    For a positive pair (i, c), with c' over the texts that do not describe i and i' over the
    images that c does not describe:

        Σ_c' [α + s(i, c') − s(i, c)]₊  +  Σ_i' [α + s(i', c) − s(i, c)]₊

    Kiros et al. 2014; "sum of hinges" in Faghri et al. 2018 (VSE++); Wehrmann et al. 2019 (LIWE),
    eq. 4. Timofeev et al. (Smooth weighting of negatives) print it in section III-A with the two
    scores' signs exchanged, which would pull negatives closer; we keep the original signs.

    An image with several texts in the batch gives one term a pair; its other texts are not
    negatives. A query without negatives adds nothing.

    Args:
        margin: α.
        reduction: over positive pairs; the published code of VSE++ and LIWE sums.

    Raises:
        ValueError: the margin is not positive, or the reduction unknown.
    """

    def __init__(self, *, margin: float = 0.2, reduction: Reduction = "sum") -> None:
        super().__init__()
        check_positive("margin", margin, "without one, equal scores everywhere are a minimum")
        check_reduction(reduction)
        self.margin = margin
        self.reduction = reduction

    def forward(self, scores: Tensor, positives: Tensor) -> dict[str, Tensor]:
        """(images, texts) scores and bool positives → ``image_to_text``, ``text_to_image``."""
        directions = both_directions(scores, positives)
        return {name: self._one_direction(*each) for name, each in directions.items()}

    def _one_direction(self, scores: Tensor, positives: Tensor) -> Tensor:
        negatives = scores.masked_fill(positives, float("-inf"))  # (queries, candidates)
        query, candidate = positives.nonzero(as_tuple=True)  # (pairs,) each
        positive = scores[query, candidate]  # (pairs,)
        hinges = torch.relu(self.margin + negatives[query] - positive[:, None])
        total = hinges.sum()  # (pairs, candidates) → ()
        return total if self.reduction == "sum" else total / max(len(query), 1)
