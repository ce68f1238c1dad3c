"""Scores of rows against columns, computed a block at a time where they are asked for."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Two multiplications of the same float32 vectors, blocked differently, differ by about this share
# of the product of their lengths. Scores nearer than that are ties.
ROUNDING = 1e-6
PAIRS_AT_ONCE = 8192


class Scores(Protocol):
    """Scores of rows against columns, higher is more alike, computed where they are asked for."""

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""

    @property
    def tolerance(self) -> float:
        """Scores no further apart than this are ties; zero where scores are exact."""

    def block(self, rows: slice, columns: slice) -> Tensor:
        """(rows, columns) float32; the caller overwrites it and asks for the next."""

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
        ValueError: the two do not agree in dimension.
    """

    def __init__(self, rows: Tensor | NDArray[np.floating], columns: Tensor | NDArray[np.floating]):
        self._rows = torch.as_tensor(rows).detach().float()
        self._columns = torch.as_tensor(columns, device=self._rows.device).detach().float()
        if self._rows.ndim != 2 or self._rows.shape[1:] != self._columns.shape[1:]:
            raise ValueError(
                f"embeddings of shapes {tuple(self._rows.shape)} and {tuple(self._columns.shape)} "
                "cannot be compared"
            )
        self._buffer = self._rows.new_empty(0)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return len(self._rows), len(self._columns)

    @property
    def tolerance(self) -> float:
        """The rounding of a float32 product of the longest vectors."""
        if 0 in self.shape:
            return 0.0
        longest = self._rows.norm(dim=1).max() * self._columns.norm(dim=1).max()
        return ROUNDING * float(longest)

    def block(self, rows: slice, columns: slice) -> Tensor:
        """One matrix product into a buffer that is kept."""
        left, right = self._rows[rows], self._columns[columns]
        size = len(left) * len(right)
        if self._buffer.numel() < size:
            self._buffer = left.new_empty(size)
        out = self._buffer[:size].view(len(left), len(right))
        return torch.mm(left, right.T, out=out)

    def pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Inner products of the given pairs, a few thousand at a time."""
        scores = self._rows.new_empty(len(rows))
        for start in range(0, len(rows), PAIRS_AT_ONCE):
            some = slice(start, start + PAIRS_AT_ONCE)
            products = self._rows[rows[some]] * self._columns[columns[some]]  # (pairs, dim)
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
    """

    def __init__(self, scores: Tensor | NDArray[np.floating], *, tolerance: float = 0.0):
        self._scores = torch.as_tensor(scores).detach()
        self.tolerance = tolerance
        if self._scores.ndim != 2:
            raise ValueError(f"scores must form a matrix, got shape {tuple(self._scores.shape)}")

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


def check_finite(scores: Tensor) -> None:
    """Refuse scores among which something is no number.

    Raises:
        ValueError: one is NaN or infinite.
    """
    # A sum is finite only where all its terms are, and is far cheaper than looking at each.
    if not torch.isfinite(scores.sum()):
        raise ValueError(
            "a score is not finite: the embeddings hold NaN or infinity, and such a model has no "
            "ranks"
        )
