"""What a pretrained encoder makes of a whole text, told to each of its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from polyglance.text.sentence import SentenceTextEncoder

if TYPE_CHECKING:
    from polyglance.text.sentence_encoder import SentenceEncoder


class SentenceVector(nn.Module):
    """Embedding of a text → dropout → linear, to be added at each place of the text.

    VL-BERT adds the whole picture to each word; so the whole text is added here. Fei et al. (2021)
    start from multilingual BERT. Where no such transformer is at hand, one that starts from nothing
    learns little of a language from a few thousand captions, and what a frozen encoder has learned
    from millions of sentences helps it much. This is ours.

    Args:
        encoder: strings → rows. It never learns and is no part of a checkpoint.
        width: of the transformer.
        dropout: probability, on the rows.
    """

    def __init__(self, *, encoder: SentenceEncoder, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.texts = SentenceTextEncoder(encoder=encoder, head=None)  # remembers their rows
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(encoder.dimension, width)

    def prepare(self, texts: Sequence[str]) -> Tensor:
        """(texts,) strings → (texts, encoder's dimension) float32."""
        return self.texts.prepare(texts, ["und"] * len(texts))["embeddings"]

    def forward(self, embeddings: Tensor) -> Tensor:
        """(texts, encoder's dimension) → (texts, width)."""
        vectors: Tensor = self.projection(self.dropout(embeddings))
        return vectors
