"""Sentences and their translations as numbers: words, sentences, and who translates whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words of one language that are frequent enough.

    Attributes:
        words: the most frequent first; of equally frequent ones the first in the text.
        counts: (words,) float32, how often each occurs.
    """

    words: list[str]
    counts: Tensor

    @classmethod
    def of(cls, sentences: Iterable[list[str]], *, min_count: int) -> Vocabulary:
        """Count."""
        counted = Counter(word for sentence in sentences for word in sentence)
        kept = [(word, count) for word, count in counted.most_common() if count >= min_count]
        return cls(
            [word for word, _ in kept],
            torch.tensor([count for _, count in kept], dtype=torch.float32),
        )


@dataclass(frozen=True, slots=True)
class Side:
    """All sentences of one language, one behind the other.

    Attributes:
        ids: (tokens,) int64.
        start: (sentences + 1,) int64; sentence s is ``ids[start[s] : start[s + 1]]``.
    """

    ids: Tensor
    start: Tensor

    @classmethod
    def of(cls, sentences: Sequence[list[str]], words: Sequence[str]) -> Side:
        """Look words up; those that are not in ``words`` have the id −1."""
        rows = {word: row for row, word in enumerate(words)}
        lengths = torch.tensor([0, *(len(sentence) for sentence in sentences)])
        ids = [rows.get(word, -1) for sentence in sentences for word in sentence]
        return cls(torch.tensor(ids, dtype=torch.int64), lengths.cumsum(0))

    def lengths(self) -> Tensor:
        """(sentences,) in words."""
        return self.start.diff()

    def only(self, kept: Tensor) -> Side:
        """Leave words out; those behind close up.

        Args:
            kept: (tokens,) bool.
        """
        return Side(self.ids[kept], _before(kept)[self.start])

    def padded(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Some sentences side by side.

        Args:
            chosen: (batch,) sentences.

        Returns:
            ids (batch, longest), 0 at padding, and where words are, the same shape.
        """
        index, there = _ranges(self.start[chosen], self.start[chosen + 1])
        ids = torch.zeros_like(index)
        ids[there] = self.ids[index[there]]
        return ids, there


@dataclass(frozen=True, slots=True)
class Bitext:
    """A text and its translation.

    Attributes:
        source: one language.
        target: the other, with as many sentences.
        links: (links, 2) int64, tokens of ``source`` and of ``target`` that translate each other,
            counted through all sentences; ascending.
    """

    source: Side
    target: Side
    links: Tensor

    def only(self, source: Tensor, target: Tensor) -> Bitext:
        """Leave words out, and the links of those.

        Args:
            source: (source tokens,) bool, which to keep.
            target: (target tokens,) bool.
        """
        first, second = self.links.unbind(dim=1)
        stays = source[first] & target[second]
        links = torch.stack([_before(source)[first], _before(target)[second]], dim=1)
        return Bitext(self.source.only(source), self.target.only(target), links[stays])

    def linked(self, chosen: Tensor) -> Tensor:
        """Which words translate each other.

        Args:
            chosen: (batch,) sentence pairs.

        Returns:
            (batch, longest source, longest target) float32, 1 or 0.
        """
        bounds = torch.searchsorted(self.links[:, 0].contiguous(), self.source.start)
        index, there = _ranges(bounds[chosen], bounds[chosen + 1])  # (batch, most links)
        pair = there.nonzero()[:, 0]  # (links of the batch,)
        link = self.links[index[there]]  # (links of the batch, 2)
        found = torch.zeros(
            len(chosen),
            int(self.source.lengths()[chosen].max()),
            int(self.target.lengths()[chosen].max()),
        )
        starts = self.source.start[chosen[pair]], self.target.start[chosen[pair]]
        found[pair, link[:, 0] - starts[0], link[:, 1] - starts[1]] = 1.0
        return found


def _before(kept: Tensor) -> Tensor:
    """(tokens + 1,) how many tokens are kept before each, and in all."""
    return torch.cat([kept.new_zeros(1, dtype=torch.int64), kept.cumsum(0)])


def _ranges(start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers from ``start`` up to ``end``, a row each: (rows, longest), and which are meant."""
    index = start[:, None] + torch.arange(int((end - start).max()))  # (rows, longest)
    return index, index < end[:, None]
