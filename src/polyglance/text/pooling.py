"""From the states of the words of a text to one vector."""

from __future__ import annotations

from torch import Tensor


def masked_mean(tokens: Tensor, mask: Tensor) -> Tensor:
    """Mean over the words that are there, whatever the padding holds; zero where none is.

    Args:
        tokens: (batch, length, dim).
        mask: (batch, length) bool.

    Returns:
        (batch, dim).
    """
    kept = tokens.masked_fill(~mask[..., None], 0.0)  # (batch, length, dim)
    return kept.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
