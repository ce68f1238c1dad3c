"""Millions of embeddings that are spread as those of a few thousand real pictures are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

AT_ONCE = 20_000


class Resampled:
    """Real embeddings, each moved as real pictures are moved from the one that is most like them.

    A new embedding is that of a picture, drawn at random, plus the difference between another one
    and its nearest neighbour. So noise is neither chosen nor round: it is as large, and lies in the
    directions, in which like pictures differ. Random vectors would have no neighbours to find.

    Args:
        embeddings: (pictures, dimension) of unit rows.
        seed: of the draws.

    Attributes:
        likeness: (pictures,) cosine of each picture with its nearest neighbour.
    """

    def __init__(self, embeddings: Vectors, *, seed: int = 0) -> None:
        self._real = embeddings
        nearest, self.likeness = _nearest(embeddings)
        self._differences = embeddings[nearest] - embeddings  # (pictures, dimension)
        self._random = np.random.default_rng(seed)

    def chunks(self, count: int, *, at_once: int = AT_ONCE) -> Iterator[Vectors]:
        """(at most ``at_once``, dimension) of unit rows, ``count`` in all."""
        for start in range(0, count, at_once):
            size = (min(at_once, count - start),)
            of, by = (self._random.integers(0, len(self._real), size) for _ in range(2))
            moved = self._real[of] + self._differences[by]  # (size, dimension)
            yield unit(moved)


def unit(rows: Vectors) -> Vectors:
    """Rows of unit length."""
    normalised: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normalised


def _nearest(embeddings: Vectors) -> tuple[NDArray[np.intp], Vectors]:
    """(pictures,) the row that is most like each, another than itself, and their cosine.

    Copies of a picture are no neighbours: nothing is to be learned of them.
    """
    rows, found, cosines = len(embeddings), [], []
    for start in range(0, rows, 1000):
        some = embeddings[start : start + 1000] @ embeddings.T  # (≤ 1000, pictures)
        some[some > 0.9999] = -1.0
        best = some.argmax(axis=1)
        found.append(best)
        cosines.append(some[np.arange(len(best)), best])
    return np.concatenate(found), np.concatenate(cosines)
