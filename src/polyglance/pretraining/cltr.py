"""Cross-lingual text recovery: a sentence, from its translation alone."""

from __future__ import annotations

from torch import Tensor, nn

from polyglance.pretraining.prediction import WordPrediction
from polyglance.pretraining.recovery import RecoveryAttention, recover
from polyglance.single_stream.stream import SingleStream
from polyglance.single_stream.tokens import Tokens


class CrossLingualTextRecovery(nn.Module):
    """CLTR (Fei et al. 2021, section 3.1; Unicoder, Huang et al., EMNLP 2019).

    Every word looks for itself among the word embeddings of the translation, and the transformer
    recovers the sentence from what they found. The special tokens of the translation are not looked
    at. The papers recover the source X from Y; which side is the source is the caller's to say.

    Args:
        width: of the transformer.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.attention = RecoveryAttention(width=width)

    def forward(
        self,
        stream: SingleStream,
        prediction: WordPrediction,
        *,
        tokens: Tokens,
        translations: Tokens,
    ) -> Tensor:
        """The loss of recovering sentences, row by row from their own translations.

        Returns:
            A scalar; see :func:`~polyglance.pretraining.recovery.recover`.
        """
        return recover(
            stream,
            prediction,
            self.attention,
            tokens=tokens,
            context=stream.embed_words(translations),
            context_mask=translations.words >= 0,
        )
