"""A learned vector for each word of a vocabulary: VSE++, SCAN and CLMR."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from polyglance.text.vocabulary import FILE_NAME, Vocabulary
from polyglance.text.word_vectors import WordVectors
from polyglance.text.words import WordEmbedding


class LearnedWords(WordEmbedding):
    """Vectors that start from U(−.1, .1), as in VSE++ (Faghri et al. 2018).

    All words outside the vocabulary share the vector of ``<unk>``.

    Args:
        vocabulary: of the training captions.
        dimension: of a vector.
    """

    def __init__(self, *, vocabulary: Vocabulary, dimension: int = 300) -> None:
        super().__init__()
        self.dimension = dimension
        self.vocabulary = vocabulary
        self.vectors = WordVectors.uniform(vocabulary_size=len(vocabulary), dimension=dimension)

    def prepare(self, words: Sequence[str]) -> dict[str, Tensor]:
        """``ids`` int64 (words,)."""
        return {"ids": self.vocabulary.ids(words)}

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """(words,) ids → (words, dimension)."""
        vectors: Tensor = self.vectors(inputs["ids"])
        return vectors

    def save(self, folder: Path) -> None:
        """As ``vocabulary.json``."""
        self.vocabulary.save(folder / FILE_NAME)
