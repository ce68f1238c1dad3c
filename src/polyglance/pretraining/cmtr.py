"""Cross-modal text recovery: a caption, from the regions of its picture alone."""

from __future__ import annotations

from torch import Tensor, nn

from polyglance.pretraining.prediction import WordPrediction
from polyglance.pretraining.recovery import RecoveryAttention, recover
from polyglance.single_stream.stream import SingleStream
from polyglance.single_stream.tokens import Tokens
from polyglance.single_stream.visual_embedding import EmbeddedRegions


class CrossModalTextRecovery(nn.Module):
    """CMTR (Fei et al. 2021, section 3.1 and figure 2).

    Every word looks for itself among the embedded regions, and the transformer recovers the
    caption from what they found. Both embeddings are those that enter the transformer.

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
        images: EmbeddedRegions,
    ) -> Tensor:
        """The loss of recovering captions, row by row from the regions of their own pictures.

        Returns:
            A scalar; see :func:`~polyglance.pretraining.recovery.recover`.
        """
        return recover(
            stream,
            prediction,
            self.attention,
            tokens=tokens,
            context=images.vectors,
            context_mask=images.mask,
        )
