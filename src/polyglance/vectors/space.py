"""Word vectors of one language, or of two that share a space."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class WordSpace:
    """The words of one language with a vector each.

    Attributes:
        words: the most frequent first, as every trainer writes them; what is said of frequent
            words relies on it.
        vectors: (words, dimension) float32.

    Raises:
        ValueError: there is not one vector a word.
    """

    words: list[str]
    vectors: Tensor

    def __post_init__(self) -> None:
        if self.vectors.dim() != 2 or len(self.words) != len(self.vectors):
            raise ValueError(f"{tuple(self.vectors.shape)} vectors for {len(self.words)} words")

    def __len__(self) -> int:
        """How many words it has."""
        return len(self.words)

    @property
    def dimension(self) -> int:
        """Of one vector."""
        return self.vectors.shape[1]

    def rows(self) -> dict[str, int]:
        """Where each word stands; of two alike the more frequent one counts."""
        rows: dict[str, int] = {}
        for row, word in enumerate(self.words):
            rows.setdefault(word, row)
        return rows

    def unit(self) -> Tensor:
        """(words, dimension), the vectors with unit length; zero stays zero."""
        return functional.normalize(self.vectors, dim=1)

    def most_frequent(self, count: int) -> WordSpace:
        """The first words alone."""
        return WordSpace(self.words[:count], self.vectors[:count])

    def turned(self, matrix: Tensor) -> WordSpace:
        """The same words after a linear map.

        Args:
            matrix: (dimension, dimension) W; each vector x becomes W x.
        """
        return WordSpace(self.words, torch.mm(self.vectors, matrix.T))  # rows, hence W transposed


@dataclass(frozen=True, slots=True)
class BilingualSpace:
    """Two languages whose words can be compared.

    Attributes:
        source: the words of one language.
        target: those of the other, in the same space.

    Raises:
        ValueError: their dimensions differ.
    """

    source: WordSpace
    target: WordSpace

    def __post_init__(self) -> None:
        if self.source.dimension != self.target.dimension:
            raise ValueError(
                f"one space has one dimension: {self.source.dimension}, {self.target.dimension}"
            )
