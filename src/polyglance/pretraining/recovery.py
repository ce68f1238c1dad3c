"""Recovering a text of which only what it attends to elsewhere is left."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polyglance.precision import at_least_float32
from polyglance.pretraining.masking import IGNORED
from polyglance.pretraining.prediction import WordPrediction
from polyglance.single_stream.stream import SingleStream
from polyglance.single_stream.tokens import Tokens


class RecoveryAttention(nn.Module):
    """The bilinear attention of text recovery.

    Fei et al. (NAACL 2021, section 3.1)::

        A_ij = e_iᵀ W b_j      ê_i = Σ_j softmax_j(A_i)_j b_j      Ê = tanh(ê_1 … ê_m)

    with word embeddings e and what they look at, b: a picture's regions, or the words of a
    translation. The two tasks have a W each.

    Args:
        width: h, of all vectors.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, width))
        nn.init.xavier_uniform_(self.weight)  # nearly even attention, from vectors of any length

    def forward(self, words: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        """Replace each word by what it finds.

        Args:
            words: (n, m, h).
            context: (n, k, h).
            mask: (n, k) bool, true where ``context`` holds something.

        Returns:
            (n, m, h) between −1 and 1; zeros where the context is empty.
        """
        products = at_least_float32(words @ self.weight @ context.mT)  # (n, m, k)
        hidden = ~mask[:, None]  # (n, 1, k)
        attention = products.masked_fill(hidden, float("-inf")).softmax(-1)
        attention = attention.masked_fill(hidden, 0.0)  # a softmax over nothing is NaN
        return torch.tanh(attention.to(context.dtype) @ context)  # (n, m, h)


def recover(
    stream: SingleStream,
    prediction: WordPrediction,
    attention: RecoveryAttention,
    *,
    tokens: Tokens,
    context: Tensor,
    context_mask: Tensor,
) -> Tensor:
    """The loss of recovering every word of texts from what its attention finds (equation 1).

    What attention finds takes the places of the word embeddings; positions, segments and languages
    stay. It is all that the transformer gets (figure 2): with the context itself in the sequence
    there would be no need for an alignment. Special tokens keep their own embeddings, since they
    are no words to be found anywhere, and are not recovered.

    Args:
        stream: the transformer.
        prediction: shared with all language tasks.
        attention: of this task.
        tokens: of the texts to recover.
        context: (n, k, width) what they look at.
        context_mask: (n, k) bool.

    Returns:
        A scalar: the cross-entropy, averaged over all tokens of words.
    """
    words = stream.embed_words(tokens)  # (n, length, width)
    is_word = tokens.words >= 0  # (n, length)
    found = attention(words, context, context_mask)  # (n, length, width)
    seen = torch.where(is_word[..., None], found.to(words.dtype), words)
    states = stream(stream.embed_tokens(tokens, words=seen), tokens.mask, None)
    targets = tokens.ids.masked_fill(~is_word, IGNORED)
    return prediction.loss(states.tokens, targets, stream.trunk.words)
