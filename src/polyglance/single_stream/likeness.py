"""How alike a text and a picture are before the transformer compares them, told to each place."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polyglance.precision import full_precision
from polyglance.single_stream.visual_embedding import EmbeddedRegions
from polyglance.unit import unit_rows

HINTS = 4
DEVIATION = 0.1  # five times that of words: cosines differ by a few tenths


class Likeness(nn.Module):
    """Cosines of what enters the transformer, as vectors that are added to it.

    A transformer that starts from nothing has to find out from single pairs, each at the cost of a
    pass, that it is to compare words with regions at all. Two embeddings learn that from all pairs
    of a large batch at once. So both sides are aligned first, as in Li et al., "Align before fuse"
    (NeurIPS 2021, section 3.2), though here by what enters the transformer, and each place is told
    the outcome::

        text      cos(mean of the text, the picture), cos(the word, the picture),
                  max over regions of cos(the word, region)
        regions   max over words of cos(word, the region)

    each times a vector of its own. This is ours: neither VL-BERT nor Fei et al. (2021) have it.

    Args:
        width: of the transformer.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.hints = nn.Parameter(torch.randn(HINTS, width) * DEVIATION)

    def forward(
        self, texts: Tensor, text_mask: Tensor, images: EmbeddedRegions
    ) -> tuple[Tensor, Tensor]:
        """What to add to each place of texts and regions.

        Args:
            texts: (n, length, width) summed embeddings.
            text_mask: (n, length) bool.
            images: n of them.

        Returns:
            (n, length, width) and (n, regions, width).
        """
        with full_precision(texts):
            mean = text_mean(texts, text_mask)  # (n, width)
            words, regions = unit_rows(texts), unit_rows(images.vectors)
            whole = unit_rows(images.whole)[..., None]  # (n, width, 1)
            overall = unit_rows(mean)[:, None] @ whole  # (n, 1, 1)
            to_whole = words @ whole  # (n, length, 1)
            each = words @ regions.mT  # (n, length, regions)
            both = text_mask[:, :, None] & images.mask[:, None]  # (n, length, regions)
            each = each.masked_fill(~both, -1.0)
            best_region = each.amax(2, keepdim=True)  # (n, length, 1)
            best_word = each.amax(1)[..., None]  # (n, regions, 1)
            for_whole_text, for_word, for_best, for_region = self.hints.float()
            told = overall * for_whole_text + to_whole * for_word + best_region * for_best
            return told, best_word * for_region


def text_mean(texts: Tensor, mask: Tensor) -> Tensor:
    """(n, length, width) and (n, length) bool → (n, width), over what is there."""
    weights = mask.to(texts.dtype)[..., None]  # (n, length, 1)
    return (texts * weights).sum(1) / weights.sum(1)
