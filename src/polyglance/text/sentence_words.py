"""Words read one by one by the frozen multilingual sentence encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from polyglance.text.kept_vectors import KeptVectors
from polyglance.text.segment import MARKS
from polyglance.text.sentence import Embedder
from polyglance.text.words import WordEmbedding

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SentenceWords(WordEmbedding):
    """Each word through an encoder that never learns; the marks around texts are zero.

    In the place of the frozen multilingual BERT under a BiGRU that Wehrmann et al. (2019, table 4)
    compare with: words that mean the same lie close in every language from the start. Deviation: a
    word is read without its context, so that each is encoded only once
    (:class:`~polyglance.text.frozen_transformer.FrozenTransformerTextEncoder` reads contexts).

    Args:
        encoder: strings → rows. It is no module, and no part of a checkpoint.
        kept_words: how many words' rows to keep (2 KB each at 512 dimensions).

    Raises:
        ValueError: ``kept_words`` is negative.
    """

    def __init__(self, *, encoder: Embedder, kept_words: int = 100_000) -> None:
        super().__init__()
        self.dimension = encoder.dimension
        self.encoder = encoder
        self._kept = KeptVectors(kept_words, encoder.dimension)

    def prepare(
        self,
        words: Sequence[str],
        languages: Sequence[str],  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """``vectors`` float32 (words, encoder's dimension)."""
        return {"vectors": torch.from_numpy(self._kept.get(words, self._embed))}

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """(words, dimension), as they are."""
        return inputs["vectors"]

    def save(self, folder: Path) -> None:
        """Nothing: the encoder is named by the checkpoint's configuration."""

    def _embed(self, words: list[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(words), self.dimension), np.float32)
        plain = [number for number, word in enumerate(words) if word not in MARKS]
        rows[plain] = self.encoder.embed([words[number] for number in plain])
        return rows
