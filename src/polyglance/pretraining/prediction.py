"""From states of the transformer to words: the one layer that all language tasks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.precision import at_least_float32
from polyglance.pretraining.chosen import chosen_rows
from polyglance.pretraining.masking import IGNORED
from polyglance.single_stream.word_table import WordTable


class WordPrediction(nn.Module):
    """BERT's masked-language-model head (Devlin et al. 2019): transform, then compare with words.

    A state goes through a linear layer, GELU and LayerNorm; its logits are the inner products with
    the vectors of the transformer's own words, plus a bias a word. The table of words is given at
    every call: the decoder is tied to it, and nothing is stored twice. MLM, TLM, CLTR and CMTR
    share the layer (Fei et al. 2021, section 3.1).

    Args:
        width: of the states.
        vocabulary_size: rows of the transformer's table of words.
    """

    def __init__(self, *, width: int, vocabulary_size: int) -> None:
        super().__init__()
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))

    def forward(self, states: Tensor, words: WordTable) -> Tensor:
        """(some, width) → (some, vocabulary) logits in float32 or better."""
        return at_least_float32(words.scores(self.transform(states))) + self.bias

    def loss(self, states: Tensor, targets: Tensor, words: WordTable) -> Tensor:
        """Cross-entropy of the words that were there, averaged over the tokens to predict.

        Eq. 1 of Fei et al. sums over the tokens of a text; an average over all of a batch's keeps
        the weights of tasks meaningful whatever the lengths.

        Args:
            states: (n, length, width).
            targets: (n, length) int64 ids, −100 where nothing is predicted.
            words: of the transformer.

        Returns:
            A scalar; 0 where no token is to be predicted.
        """
        rows, chosen = chosen_rows(targets != IGNORED)  # (rows,) each
        logits = self(states.flatten(0, 1)[rows], words)  # (rows, vocabulary)
        wanted = targets.flatten()[rows].masked_fill(~chosen, IGNORED)  # (rows,)
        total = functional.cross_entropy(logits, wanted, ignore_index=IGNORED, reduction="sum")
        return total / chosen.sum().clamp(min=1)
