"""The translation language model: hidden words, from both sides of a pair of translations."""

from __future__ import annotations

from torch import Tensor

from polyglance.pretraining.masking import WordMasking
from polyglance.pretraining.mlm import masked_language_model
from polyglance.pretraining.prediction import WordPrediction
from polyglance.single_stream.stream import SingleStream
from polyglance.single_stream.tokens import Tokens


def translation_language_model(
    stream: SingleStream, prediction: WordPrediction, masking: WordMasking, *, pairs: Tokens
) -> Tensor:
    """TLM (XLM, Conneau and Lample, NeurIPS 2019, section 3.3).

    A sentence and its translation are one text, and words on both sides are hidden, so that a
    hidden word can be found in the other language. That the positions of the second sentence start
    anew and every token knows its language is the tokens' business; see
    :meth:`~polyglance.single_stream.tokens.PairTokenizer.pair`.

    Args:
        stream: the transformer.
        prediction: shared with all language tasks.
        masking: of the words.
        pairs: sentences, each followed by its translation.

    Returns:
        The cross-entropy of the hidden words, averaged over their tokens.
    """
    loss, _ = masked_language_model(stream, prediction, masking, tokens=pairs)
    return loss
