"""A learned vector for each word of a vocabulary: VSE++, SCAN and CLMR."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.text.vocabulary import FILE_NAME, Vocabulary
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
        self.vectors = nn.Parameter(torch.empty(len(vocabulary), dimension).uniform_(-0.1, 0.1))

    def prepare(
        self,
        words: Sequence[str],
        languages: Sequence[str],  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """``ids`` int64 (words,)."""
        return {"ids": self.vocabulary.ids(words)}

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """(words,) ids → (words, dimension)."""
        return functional.embedding(inputs["ids"], self.vectors)

    def save(self, folder: Path) -> None:
        """As ``vocabulary.json``."""
        self.vocabulary.save(folder / FILE_NAME)
