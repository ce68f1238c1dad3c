"""What the losses over scores share: two directions, masks, and sums over positive pairs.

Everywhere a *query* is a row and a *candidate* a column; the direction text → image is the same
computation on the transposed matrix.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from polyglance.precision import at_least_float32

Reduction = Literal["sum", "mean"]


def check_reduction(reduction: str) -> None:
    """Raises: ValueError: ``reduction`` is neither ``sum`` nor ``mean``."""
    if reduction not in get_args(Reduction):
        raise ValueError(f"reduction is {reduction!r}; it must be 'sum' or 'mean'")


def check_positive(name: str, value: float, reason: str) -> None:
    """Raises: ValueError: ``value`` is not a finite number above zero; ``reason`` says why not."""
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} is {value}; it must be a finite number above 0: {reason}")


def check_mask(positives: Tensor, *, images: int, texts: int) -> None:
    """Raises: ValueError: the mask is not bool (images, texts), or there is nothing to compare."""
    if positives.dtype != torch.bool or tuple(positives.shape) != (images, texts):
        raise ValueError(
            f"positives must be bool ({images}, {texts}), one entry a pair of image and text; "
            f"got {positives.dtype} {tuple(positives.shape)}"
        )
    if not images or not texts:
        raise ValueError(f"nothing to contrast: {images} images and {texts} texts")


def both_directions(scores: Tensor, positives: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Term name → (scores, positives), each (queries, candidates), in float32 or better.

    Raises:
        ValueError: the shapes disagree, ``positives`` is not bool, or the matrix is empty.
    """
    if scores.dim() != 2:
        raise ValueError(f"scores must be (images, texts); got {tuple(scores.shape)}")
    check_mask(positives, images=scores.shape[0], texts=scores.shape[1])
    scores = at_least_float32(scores)
    return {
        "image_to_text": (scores, positives),
        "text_to_image": (scores.T, positives.T),
    }


def log_sum_exp_of_negatives(logits: Tensor, positives: Tensor) -> tuple[Tensor, Tensor]:
    """Log of the summed exponentials over each query's negatives, and who has any.

    Returns:
        (queries, 1) logarithms, finite everywhere, and (queries, 1) bool: has a negative.
    """
    contrasted = (~positives).any(dim=1, keepdim=True)  # (queries, 1)
    negatives = logits.masked_fill(positives, float("-inf"))
    # A row of −inf alone has NaN for a gradient, so it is filled before the logarithm.
    negatives = negatives.masked_fill(~contrasted, 0.0)
    return negatives.logsumexp(dim=1, keepdim=True), contrasted


def reduce_over_pairs(losses: Tensor, positives: Tensor, reduction: Reduction) -> Tensor:
    """Sum or mean of ``losses`` (queries, candidates) over the positive pairs; 0 without any."""
    total = losses.masked_fill(~positives, 0.0).sum()
    return total if reduction == "sum" else total / positives.sum().clamp(min=1)
