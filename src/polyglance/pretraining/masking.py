"""Which words and which regions are hidden, and behind what.

All draws are from torch's global random state on the CPU, which a resumed run restores.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from polyglance.single_stream.tokens import Tokens

IGNORED = -100  # as a target: nothing is predicted there
HIDDEN, RANDOM = 0.8, 0.1  # of the chosen words; the rest stays as it is


@dataclass(frozen=True, slots=True)
class WordMasking:
    """How words are hidden.

    Attributes:
        mask_id: of the token that stands for a hidden one.
        ordinary: (ids,) int64, the tokens that may stand in for another at random: none that is
            special.
        share: of the words that are chosen.
    """

    mask_id: int
    ordinary: Tensor
    share: float = 0.15

    def __call__(self, tokens: Tokens) -> tuple[Tokens, Tensor]:
        """Hide words; see :func:`mask_words`."""
        return mask_words(tokens, mask_id=self.mask_id, ordinary=self.ordinary, share=self.share)


def mask_words(
    tokens: Tokens, *, mask_id: int, ordinary: Tensor, share: float = 0.15
) -> tuple[Tokens, Tensor]:
    """Choose whole words, and hide most of them, for a masked language model.

    Devlin et al. (BERT, NAACL 2019, section 3.1): of the chosen, 80 % become the mask token, 10 %
    random tokens, and 10 % stay. As in VL-BERT (Su et al., ICLR 2020) words are chosen and not
    tokens, and all tokens of a word share its lot: the beginning of a word says too much of its
    end. Each word is chosen by itself with the probability ``share``; where none is, one is.
    Special tokens are never chosen.

    Args:
        tokens: of texts, or of pairs of texts.
        mask_id: id of the token that hides another.
        ordinary: (ids,) int64, the tokens to draw random ones from.
        share: of the words that are chosen.

    Returns:
        The tokens with other ids, and the targets, (n, length) int64: the id that was there where a
        token is chosen, else −100.
    """
    of_words = tokens.words >= 0  # (n, length)
    lots = _draw_by_word(tokens.words)  # (n, length)
    least = lots.masked_fill(~of_words, 1.0).amin(dim=1, keepdim=True)  # (n, 1)
    chosen = of_words & (lots <= least.clamp(min=share))
    fates = _draw_by_word(tokens.words)  # (n, length)
    drawn = ordinary[torch.randint(len(ordinary), tokens.ids.shape)]  # (n, length)
    drawn = drawn.to(tokens.ids.device)
    ids = torch.where(chosen & (fates < HIDDEN + RANDOM), drawn, tokens.ids)
    ids = ids.masked_fill(chosen & (fates < HIDDEN), mask_id)
    return tokens.with_ids(ids), tokens.ids.masked_fill(~chosen, IGNORED)


def mask_regions(mask: Tensor, *, share: float = 0.15, hide: float = 0.9) -> tuple[Tensor, Tensor]:
    """Choose regions to classify, and hide most of them (VL-BERT, section 3.3 and its code).

    Args:
        mask: (n, regions) bool, true where there is a region.
        share: of the regions that are chosen, each by itself.
        hide: of the chosen that are hidden; the others keep their features.

    Returns:
        Chosen and hidden, each (n, regions) bool; hidden ones are among the chosen.
    """
    chosen = mask & (torch.rand(mask.shape) < share).to(mask.device)
    return chosen, chosen & (torch.rand(mask.shape) < hide).to(mask.device)


def _draw_by_word(words: Tensor) -> Tensor:
    """(n, length) numbers between 0 and 1, one for all tokens of a word."""
    numbers = words.clamp(min=0)  # (n, length)
    most = int(numbers.max()) + 1 if numbers.numel() else 0
    return torch.rand(len(words), most).to(words.device).gather(1, numbers)
