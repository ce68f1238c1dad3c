"""Word vectors of one language, or of two that share a space."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class WordSpace:
    """The vectors of one language's words.

    Attributes:
        words: distinct; the most frequent first.
        vectors: (words, dimension) float32.
    """

    words: list[str]
    vectors: Tensor


@dataclass(frozen=True, slots=True)
class BilingualSpace:
    """Two languages in one space: translations lie close together."""

    source: WordSpace
    target: WordSpace
