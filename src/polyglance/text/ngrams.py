"""Hashed character n-grams: a vocabulary for every language without a tokenizer.

Subword features as in Bojanowski et al., "Enriching word vectors with subword information" (TACL
2017, section 3.2), hashed into a fixed number of buckets. Deviations: CRC-32 instead of FNV-1a;
words of scripts that are written densely or without spaces (Thai, Hangul, kana, Han) give their
n-grams of 1 to 4 characters, the others those of 3 to 5; a text of two to four words also gives
one feature for the whole of it, so that names such as "hot dog" are more than their words.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

PADDING = 0  # a bucket that no n-gram falls into
FIRST_DENSE = 0x0E00  # Thai; above it lie the scripts whose characters say much each
MOST = 400  # n-grams of one text: far more than a caption has


def words(text: str) -> list[str]:
    """Lower-cased runs of letters, digits and combining marks, in NFC."""
    kept = (
        char if unicodedata.category(char)[0] in "LNM" else " "
        for char in unicodedata.normalize("NFC", text).lower()
    )
    return "".join(kept).split()


def ngrams(text: str) -> Iterator[str]:
    """The features of a text: each word, its n-grams, and a short text as a whole."""
    found = words(text)
    if 1 < len(found) <= 4:
        yield "#" + " ".join(found)
    for word in found:
        yield "=" + word
        bounded = f"<{word}>"
        sizes = (1, 2, 3, 4) if ord(max(word)) >= FIRST_DENSE else (3, 4, 5)
        for size in sizes:
            for start in range(len(bounded) - size + 1):
                yield bounded[start : start + size]


def hash_ngrams(text: str, *, buckets: int) -> list[int]:
    """The buckets 1 … ``buckets`` - 1 of at most :data:`MOST` n-grams; repeats count."""
    hashed: list[int] = []
    for gram in ngrams(text):
        if len(hashed) == MOST:
            break
        hashed.append(1 + zlib.crc32(gram.encode("utf-8", "replace")) % (buckets - 1))
    return hashed


def pad(rows: Sequence[Sequence[int]]) -> Tensor:
    """Ragged rows → (rows, longest) int64, filled up with :data:`PADDING`; never zero columns."""
    import torch

    padded = torch.full((len(rows), max([1, *map(len, rows)])), PADDING, dtype=torch.int64)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = torch.tensor(row, dtype=torch.int64)
    return padded
