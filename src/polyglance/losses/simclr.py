"""Smooth weighting of negatives: softmax-weighted, as paper 5 prints it."""

from __future__ import annotations

from torch import Tensor

from polyglance.losses.base import ScoreLoss
from polyglance.losses.pairs import (
    Reduction,
    both_directions,
    check_positive,
    check_reduction,
    log_sum_exp_of_negatives,
    reduce_over_pairs,
)


class SimCLR(ScoreLoss):
    """The symmetrised SimCLR loss, with the positive left out of the denominator.

    For a positive pair (i, c), with c' over the texts that do not describe i and i' over the
    images that c does not describe:

        −s(i, c)/τ + log Σ_c' exp(s(i, c')/τ)  −  s(i, c)/τ + log Σ_i' exp(s(i', c)/τ)

    Timofeev, Majkowska, Mlyniec and Blinova (Multi-modal retrieval with smooth weighting of
    negatives), eq. 4, as printed: its denominators run over c' ≠ c and i' ≠ i. As τ → 0, τ times
    it tends to the hardest negative's score minus the positive's: a max of hinges with neither
    margin nor hinge. Having no floor, it can be negative; the usual loss, with the positive in the
    denominator, is :class:`~polyglance.losses.info_nce.InfoNCE`.

    Deviation: the print excludes one positive, the mask here all of them, so that an image's other
    texts are not pushed away. With one text an image, as the paper samples, the two are equal.
    A query without negatives has nothing to be contrasted with, and adds nothing.

    Args:
        temperature: τ; .07 in the paper.
        reduction: over positive pairs. The paper does not say; the mean is that of the original
            SimCLR (Chen et al. 2020).

    Raises:
        ValueError: the temperature is not positive, or the reduction unknown.
    """

    def __init__(self, *, temperature: float = 0.07, reduction: Reduction = "mean") -> None:
        super().__init__()
        check_positive("temperature", temperature, "scores are divided by it")
        check_reduction(reduction)
        self.temperature = temperature
        self.reduction = reduction

    def forward(self, scores: Tensor, positives: Tensor) -> dict[str, Tensor]:
        """(images, texts) scores and bool positives → ``image_to_text``, ``text_to_image``."""
        directions = both_directions(scores, positives)
        return {name: self._one_direction(*each) for name, each in directions.items()}

    def _one_direction(self, scores: Tensor, positives: Tensor) -> Tensor:
        logits = scores / self.temperature  # (queries, candidates)
        against, contrasted = log_sum_exp_of_negatives(logits, positives)  # (queries, 1) each
        losses = (against - logits).masked_fill(~contrasted, 0.0)  # (queries, candidates)
        return reduce_over_pairs(losses, positives, self.reduction)
