"""Scores of rows against columns, computed a block at a time where they are asked for."""

from __future__ import annotations

import threading
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Two multiplications of the same float32 vectors, blocked differently, differ by about this share
# of the product of their lengths. Scores nearer than that are ties.
ROUNDING = 1e-6
PAIRS_AT_ONCE = 512  # whose products a processor's cache holds


class Scores(Protocol):
    """Scores of rows against columns: finite, higher is more alike, computed where asked for."""

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""

    @property
    def tolerance(self) -> float:
        """Scores no further apart than this are ties; zero where scores are exact."""

    def block(self, rows: slice, columns: slice) -> Tensor:
        """(rows, columns) float32, which the caller may overwrite.

        Several threads may ask; what one of them got before is no longer its own.
        """

    def pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        """(pairs,) row indices and (pairs,) column indices → (pairs,) float32 scores."""

    def part(self, rows: Tensor, columns: Tensor) -> Scores:
        """The scores of some rows, by index, against some columns."""


class EmbeddingScores:
    """Inner products of two sets of embeddings: cosines where the rows have unit length.

    Args:
        rows: (rows, dim), any floating type; computed in float32, on their device.
        columns: (columns, dim).

    Raises:
        ValueError: the two do not agree in dimension, or their products might not be finite.
    """

    def __init__(self, rows: Tensor | NDArray[np.floating], columns: Tensor | NDArray[np.floating]):
        self._rows = torch.as_tensor(rows).detach().float()
        self._columns = torch.as_tensor(columns, device=self._rows.device).detach().float()
        if self._rows.ndim != 2 or self._rows.shape[1:] != self._columns.shape[1:]:
            raise ValueError(
                f"embeddings of shapes {tuple(self._rows.shape)} and {tuple(self._columns.shape)} "
                "cannot be compared"
            )
        # The rounding of a product of the longest; a product is finite where that of lengths is.
        longest = _longest(self._rows) * _longest(self._columns)
        check_finite(longest)
        self.tolerance = ROUNDING * float(longest)
        self._kept = threading.local()  # blocks of different threads do not share memory

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return len(self._rows), len(self._columns)

    def block(self, rows: slice, columns: slice) -> Tensor:
        """One matrix product into a buffer that is kept."""
        left, right = self._rows[rows], self._columns[columns]
        size = len(left) * len(right)
        if not hasattr(self._kept, "buffer") or self._kept.buffer.numel() < size:
            self._kept.buffer = left.new_empty(size)
        out = self._kept.buffer[:size].view(len(left), len(right))
        return torch.mm(left, right.T, out=out)

    def pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Inner products of the given pairs, some at a time."""
        scores = self._rows.new_empty(len(rows))
        for start in range(0, len(rows), PAIRS_AT_ONCE):
            some = slice(start, start + PAIRS_AT_ONCE)
            products = self._rows.index_select(0, rows[some])  # (pairs, dim)
            products *= self._columns.index_select(0, columns[some])
            torch.sum(products, dim=1, out=scores[some])
        return scores

    def part(self, rows: Tensor, columns: Tensor) -> EmbeddingScores:
        """Inner products of some of the embeddings."""
        return EmbeddingScores(self._rows[rows], self._columns[columns])


class MatrixScores:
    """Scores that are there already, such as those of an attention between parts.

    Args:
        scores: (rows, columns).
        tolerance: scores no further apart than this are ties.

    Raises:
        ValueError: they form no matrix, or one is not finite.
    """

    def __init__(self, scores: Tensor | NDArray[np.floating], *, tolerance: float = 0.0):
        self._scores = torch.as_tensor(scores).detach()
        self.tolerance = tolerance
        if self._scores.ndim != 2:
            raise ValueError(f"scores must form a matrix, got shape {tuple(self._scores.shape)}")
        check_finite(self._scores)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self._scores.shape[0], self._scores.shape[1]

    def block(self, rows: slice, columns: slice) -> Tensor:
        """A copy, so that the matrix survives."""
        return self._scores[rows, columns].to(torch.float32, copy=True)

    def pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        """The entries at the given places."""
        return self._scores[rows, columns].float()

    def part(self, rows: Tensor, columns: Tensor) -> MatrixScores:
        """Some rows and columns of the matrix, copied unless all are asked for in order."""
        whole = [
            torch.equal(asked, torch.arange(count))
            for asked, count in zip((rows, columns), self.shape, strict=True)
        ]
        return (
            self
            if all(whole)
            else MatrixScores(self._scores[rows[:, None], columns], tolerance=self.tolerance)
        )


def _longest(embeddings: Tensor) -> Tensor:
    """() the largest length of (rows, dim); 0 where there is no row."""
    return torch.cat([embeddings.new_zeros(1), embeddings.norm(dim=1)]).max()


def check_finite(scores: Tensor) -> None:
    """Refuse scores among which something is no number.

    Raises:
        ValueError: one is NaN or infinite.
    """
    # A sum is finite only where all its terms are, and is far cheaper than looking at each; one in
    # float16 would overflow.
    if not torch.isfinite(scores.sum(dtype=torch.float32)):
        raise ValueError(
            "a score is not finite: the embeddings hold NaN or infinity, and such a model has no "
            "ranks"
        )
