"""Vectors for words that no list has, from the pieces they are spelled with.

Bojanowski et al., "Enriching word vectors with subword information" (TACL 2017, section 3.2): a
word is the bag of its character n-grams, between ``<`` and ``>``, and an n-gram's vector lies in
the bucket that it is hashed into. The hash is the one of fastText's files, FNV-1a of 32 bits
(Fowler, Noll and Vo) with bytes taken as signed numbers, and has to be: a model's buckets
say nothing under another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

END_OF_SENTENCE = "</s>"  # a mark and no word: fastText gives it no n-grams

_FIRST, _PRIME, _BITS = 2166136261, 16777619, 0xFFFFFFFF
_SIGNED = [byte if byte < 0x80 else byte | 0xFFFFFF00 for byte in range(256)]  # sign extended
_CHARACTER = re.compile(rb"[^\x80-\xbf][\x80-\xbf]*")  # a byte and those that continue it


class Subwords(nn.Module):
    """The n-grams of a fastText model; nothing moves them.

    Args:
        minimum: characters of the shortest n-gram; ``<`` and ``>`` count.
        maximum: characters of the longest.
        buckets: (buckets, dimension), the vectors; a buffer and no parameter.

    Raises:
        ValueError: the lengths are no range from 1 up, or ``buckets`` is no matrix with rows.
    """

    buckets: Tensor

    def __init__(self, *, minimum: int, maximum: int, buckets: Tensor) -> None:
        super().__init__()
        if not 1 <= minimum <= maximum:
            raise ValueError(f"n-grams of {minimum} to {maximum} characters")
        if buckets.dim() != 2 or not len(buckets):
            raise ValueError(f"buckets must be (buckets, dimension); got {tuple(buckets.shape)}")
        self.minimum = minimum
        self.maximum = maximum
        self.dimension = buckets.shape[1]
        self.register_buffer("buckets", buckets)

    def rows(self, word: str) -> list[int]:
        """The bucket of each n-gram of a word, with repeats; empty where it has none."""
        if word == END_OF_SENTENCE:
            return []
        hashes = hash_ngrams(word.encode("utf-8", "replace"), self.minimum, self.maximum)
        return [value % len(self.buckets) for value in hashes]

    def vector(self, word: str) -> Tensor:
        """(dimension,): the mean over the word's n-grams; zero where it has none."""
        return self.vectors([word])[0]

    def vectors(self, words: Sequence[str]) -> Tensor:
        """(words, dimension); see :meth:`vector`."""
        return average(self.buckets, [self.rows(word) for word in words])


def hash_ngrams(word: bytes, minimum: int, maximum: int) -> Iterator[int]:
    """The hashes of a word's n-grams, as unsigned numbers of 32 bits.

    A lone ``<`` or ``>`` is none. FNV-1a goes byte by byte, so that an n-gram's hash goes on from
    that of its beginning.

    Args:
        word: UTF-8, or whatever bytes a file has; without the marks around it.
        minimum: characters of the shortest.
        maximum: characters of the longest.
    """
    characters = _CHARACTER.findall(b"<" + word + b">")
    last = len(characters) - 1
    for start in range(len(characters)):
        value = _FIRST
        for size, character in enumerate(characters[start : start + maximum], start=1):
            for byte in character:
                value = (value ^ _SIGNED[byte]) * _PRIME & _BITS
            if size >= minimum and (size > 1 or 0 < start < last):
                yield value


def average(table: Tensor, rows: Sequence[Sequence[int]]) -> Tensor:
    """The mean of some rows of a table, for each of several lists; zero for an empty one.

    Args:
        table: (rows, dimension).
        rows: their numbers.

    Returns:
        (lists, dimension).
    """
    flat = [row for some in rows for row in some]
    starts = [0]
    for some in rows:
        starts.append(starts[-1] + len(some))
    return functional.embedding_bag(
        torch.tensor(flat, dtype=torch.int64),
        table,
        torch.tensor(starts[:-1], dtype=torch.int64),
        mode="mean",
    )
