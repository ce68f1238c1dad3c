"""Scores of two queries that say the same, such as a text and its translation."""

from __future__ import annotations

import torch
from torch import Tensor

from polyglance.precision import at_least_float32


def fused_scores(first: Tensor, second: Tensor, *, weight: float = 0.5) -> Tensor:
    """Bring two matrices of scores to [0, 1] each and mix them.

    The published numbers of NRCCR (Wang et al., ACM Multimedia 2022) are of such a mixture: scores
    of queries in the target language, and of their machine translations into the source language,
    one half each (one fifth and four fifths in its validation). It takes a translator at test time
    and doubles the work, so that nothing here does it unless asked to.

    The least and the greatest score are taken over the whole matrix, so that the result for one
    query depends on the others beside it.

    Args:
        first: (images, texts) scores, of the texts as they are.
        second: (images, texts) scores of the same texts, translated.
        weight: of ``first``; the rest is of ``second``.

    Returns:
        (images, texts) float32 or better, between 0 and 1.

    Raises:
        ValueError: the shapes differ, or the weight is not between 0 and 1.
    """
    if first.shape != second.shape:
        raise ValueError(f"both must score the same pairs: {first.shape} and {second.shape}")
    if not 0 <= weight <= 1:
        raise ValueError(f"weight is {weight}; it must lie between 0 and 1")
    return weight * _stretched(first) + (1 - weight) * _stretched(second)


def _stretched(scores: Tensor) -> Tensor:
    """From 0 for the least of them to 1 for the greatest; 0 where all are equal."""
    scores = at_least_float32(scores)
    if not scores.numel():
        return scores
    least, greatest = torch.aminmax(scores)
    return (scores - least) / (greatest - least).clamp(min=torch.finfo(scores.dtype).tiny)
