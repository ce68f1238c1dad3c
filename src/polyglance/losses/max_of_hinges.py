"""The max triplet loss: only the hardest negative of the batch counts."""

from __future__ import annotations

import torch
from torch import Tensor

from polyglance.losses.base import ScoreLoss
from polyglance.losses.pairs import (
    Reduction,
    both_directions,
    check_positive,
    check_reduction,
    reduce_over_pairs,
)


class MaxOfHinges(ScoreLoss):
    """Hinge over the hardest negative of each positive pair, in both directions.

    For a positive pair (i, c), with c' over the texts that do not describe i and i' over the
    images that c does not describe:

        max_c' [α + s(i, c') − s(i, c)]₊  +  max_i' [α + s(i', c) − s(i, c)]₊

    "Max of hinges" in Faghri et al. 2018 (VSE++); Wehrmann et al. 2019 (LIWE), eq. 5; Timofeev et
    al., eq. 1 (printed there with the two scores' signs exchanged; we keep the original signs).

    When all embeddings fall together, the summed loss of B pairs is 2·B·α exactly; a run that
    stays there has collapsed, and wants the sum of hinges, or the annealed loss, to start with.

    An image with several texts in the batch gives one term a pair; its other texts are not
    negatives. A query without negatives adds nothing. Equally hard negatives share the gradient,
    so that the order of a batch never matters.

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
        hardest = negatives.amax(dim=1, keepdim=True)  # (queries, 1)
        hinges = torch.relu(self.margin + hardest - scores)  # (queries, candidates)
        return reduce_over_pairs(hinges, positives, self.reduction)
