"""The masked language model: hidden words, from the words around them and the picture."""

from __future__ import annotations

from torch import Tensor

from polyglance.pretraining.masking import WordMasking
from polyglance.pretraining.prediction import WordPrediction
from polyglance.single_stream.stream import SingleStream, States
from polyglance.single_stream.tokens import Tokens
from polyglance.single_stream.visual_embedding import EmbeddedRegions


def masked_language_model(
    stream: SingleStream,
    prediction: WordPrediction,
    masking: WordMasking,
    *,
    tokens: Tokens,
    images: EmbeddedRegions | None = None,
) -> tuple[Tensor, States]:
    """MLM (BERT, Devlin et al. 2019), on captions with their pictures or on texts alone.

    With pictures it is VL-BERT's "masked language modelling with visual clues" (Su et al. 2020,
    section 3.3). Its regions may be masked in the same pass: the states are returned for what else
    is to be learned of them.

    Args:
        stream: the transformer.
        prediction: shared with all language tasks.
        masking: of the words.
        tokens: of the texts.
        images: the picture of each text, if they have any.

    Returns:
        The cross-entropy of the hidden words, averaged over their tokens, and the states.
    """
    hidden, targets = masking(tokens)
    states = stream(stream.embed_tokens(hidden), tokens.mask, images)
    return prediction.loss(states.tokens, targets, stream.trunk.words), states
