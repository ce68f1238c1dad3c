"""A translation of which only that is kept that its source asks for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polyglance.features import Features
from polyglance.text.pooling import masked_mean
from polyglance.unit import unit_rows


class NoiseFilter(nn.Module):
    """Cross-attention from a source text to its translation (NRCCR, ACM Multimedia 2022).

    Each word of the source looks for its like among the words of the translation. What it finds
    stands beside the translation's own words, and the mean of all of them is the translation with
    its noise filtered: words that nothing in the source asks for weigh less.

    No residual connection leads around the attention, so that all of the result is made of the
    translation. Words here are vectors of the joint space, and the mean is brought to unit length.
    Padding is in neither the attention nor the mean; in the published code it is in the mean.

    Args:
        dimension: of words.
        heads: of the attention.
        dropout: probability, on its weights.

    Raises:
        ValueError: the dimension is not a multiple of ``heads``.
    """

    def __init__(self, *, dimension: int, heads: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        if dimension % heads:
            raise ValueError(f"dimension {dimension} is not a multiple of {heads} heads")
        self.attention = nn.MultiheadAttention(dimension, heads, dropout=dropout, batch_first=True)

    def forward(self, sources: Features, targets: Features) -> Tensor:
        """(texts, ...) with tokens on either side → (texts, dimension), unit rows."""
        asking, said = sources.tokens, targets.tokens
        if asking is None or said is None or sources.mask is None or targets.mask is None:
            raise ValueError("the noise of a translation is filtered word by word: tokens needed")
        found, _ = self.attention(
            asking, said, said, key_padding_mask=~targets.mask, need_weights=False
        )  # (texts, source words, dimension)
        words = torch.cat([found, said], dim=1)  # (texts, all words, dimension)
        return unit_rows(masked_mean(words, torch.cat([sources.mask, targets.mask], dim=1)))
