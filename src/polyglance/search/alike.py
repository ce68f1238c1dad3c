"""Pairs of embeddings that are near, found block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 1024  # a block's cosines take 4 MB: they stay near the processor


class Pairs(NamedTuple):
    """Rows that are near: the pairs of ``one`` and ``other``, each (pairs,), with their cosines."""

    one: NDArray[np.intp]
    other: NDArray[np.intp]
    cosines: NDArray[np.float32]


def pairs_alike(
    embeddings: NDArray[np.float32], *, threshold: float, block: int = BLOCK
) -> Iterator[Pairs]:
    """All pairs whose cosine is at least ``threshold``, each once and none with itself.

    Every row is compared with every other one, but never more than a block of cosines is held.
    Each of :func:`blocks` yields once, though it may have no pair.

    Args:
        embeddings: (rows, dimension), of unit length.
        threshold: from −1 to 1.
        block: rows on either side of what is compared at once.
    """
    for top in range(0, len(embeddings), block):
        for left in range(top, len(embeddings), block):
            cosines = embeddings[top : top + block] @ embeddings[left : left + block].T
            if left == top:  # (block, block): the upper triangle has each pair once
                cosines = np.where(np.tri(len(cosines), dtype=bool), -np.inf, cosines)
            one, other = np.nonzero(cosines >= threshold)
            yield Pairs(one + top, other + left, cosines[one, other])


def blocks(rows: int, *, block: int = BLOCK) -> int:
    """How many blocks :func:`pairs_alike` goes through."""
    along = -(-rows // block)
    return along * (along + 1) // 2
