"""Barlow Twins across modalities: redundancy reduction instead of negatives."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from polyglance.losses.base import EmbeddingLoss
from polyglance.losses.pairs import check_mask
from polyglance.precision import at_least_float32, full_precision

_SMALLEST_VARIANCE = 1e-8
"""Far below 1/dim, the variance of a coordinate of unit vectors; keeps a dead one finite."""


class BarlowTwins(EmbeddingLoss):
    """Cross-correlation of images and texts pulled towards the identity.

    With C the (dim, dim) correlation between the coordinates of images and those of their texts,
    over the positive pairs of the batch:

        Σ_a (1 − C_aa)²  +  λ Σ_a Σ_b≠a C_ab²

    Zbontar et al. 2021, eqs. 1–2; Timofeev et al., eq. 3, with texts in place of the second view.
    Each coordinate is standardised over the pairs (biased variance). An image with several texts
    makes as many pairs; images and texts that are in no pair are ignored; fewer than two pairs
    have no correlation and give zero. There is no sum over pairs, hence no ``reduction``.

    Args:
        redundancy_weight: λ. Timofeev et al. do not give theirs; .005 is Zbontar et al.'s.

    Raises:
        ValueError: the weight is negative or not finite.
    """

    def __init__(self, *, redundancy_weight: float = 0.005) -> None:
        super().__init__()
        if not (math.isfinite(redundancy_weight) and redundancy_weight >= 0):
            raise ValueError(
                f"redundancy_weight is {redundancy_weight}; it must be finite and not negative: "
                "below 0, it would reward coordinates for repeating one another"
            )
        self.redundancy_weight = redundancy_weight

    def forward(self, images: Tensor, texts: Tensor, positives: Tensor) -> dict[str, Tensor]:
        """(images, dim), (texts, dim), bool (images, texts) → ``invariance``, ``redundancy``.

        Raises:
            ValueError: the shapes disagree.
        """
        if images.dim() != 2 or texts.dim() != 2 or images.shape[1] != texts.shape[1]:
            raise ValueError(
                "images and texts must be (images, dim) and (texts, dim); "
                f"got {tuple(images.shape)} and {tuple(texts.shape)}"
            )
        check_mask(positives, images=len(images), texts=len(texts))
        image, text = positives.nonzero(as_tuple=True)  # (pairs,) each
        with full_precision(images):
            left = _standardise(at_least_float32(images)[image])  # (pairs, dim)
            right = _standardise(at_least_float32(texts)[text])  # (pairs, dim)
            correlation = left.T @ right / max(len(image), 1)  # (dim, dim)
        diagonal = correlation.diagonal()  # (dim,)
        invariance = (1 - diagonal).square().sum()
        itself = torch.eye(len(diagonal), dtype=torch.bool, device=correlation.device)
        redundancy = correlation.masked_fill(itself, 0.0).square().sum()
        enough = float(len(image) > 1)
        return {
            "invariance": enough * invariance,
            "redundancy": enough * self.redundancy_weight * redundancy,
        }


def _standardise(pairs: Tensor) -> Tensor:
    """(pairs, dim) with zero mean and unit variance in each column."""
    if not len(pairs):
        return pairs
    centred = pairs - pairs.mean(dim=0)
    return centred / (centred.square().mean(dim=0) + _SMALLEST_VARIANCE).sqrt()
