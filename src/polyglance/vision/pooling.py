"""From a grid of cells to one vector."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class GridPooling(nn.Module, ABC):
    """(batch, channels, rows, columns) → (batch, pooled channels)."""

    @abstractmethod
    def cells(self, grid: Tensor) -> Tensor:
        """The vectors that are pooled: what each cell would give if it were the whole picture.

        Where pooling weighs cells, so are these vectors weighed, and their mean is what
        :meth:`forward` returns.

        Args:
            grid: (batch, channels, rows, columns).

        Returns:
            (batch, pooled channels, rows, columns).
        """

    @abstractmethod
    def forward(self, grid: Tensor) -> Tensor:
        """(batch, channels, rows, columns) → (batch, pooled channels)."""


class MeanPooling(GridPooling):
    """Every cell counts the same."""

    def cells(self, grid: Tensor) -> Tensor:
        """(batch, channels, rows, columns), the grid itself."""
        return grid

    def forward(self, grid: Tensor) -> Tensor:
        """(batch, channels, rows, columns) → (batch, channels)."""
        return grid.mean((2, 3))


class AttentionPooling(GridPooling):
    """Each head attends to the grid with a learned query and pools its share of the channels.

    Multi-head attention (Vaswani et al., NeurIPS 2017, section 3.2.2) with one query a head, which
    does not depend on the picture: query and key projection are then one vector a head, and that
    is what is learned. The values are the channels themselves. Starts as the mean.

    Args:
        channels: of the grid.
        heads: must divide ``channels``.

    Raises:
        ValueError: ``heads`` does not divide ``channels``.
    """

    def __init__(self, *, channels: int, heads: int = 8) -> None:
        super().__init__()
        if heads < 1 or channels % heads:
            raise ValueError(f"{heads} heads do not divide {channels} channels")
        self.heads = heads
        self.query = nn.Parameter(torch.zeros(heads, channels))
        self.scale = channels**-0.5

    def attention(self, grid: Tensor) -> Tensor:
        """(batch, channels, rows, columns) → (batch, heads, rows, columns), each map sums to 1."""
        scores = torch.einsum("bcij,hc->bhij", grid, self.query) * self.scale
        weights: Tensor = scores.flatten(2).softmax(-1)  # (batch, heads, rows · columns)
        return weights.view_as(scores)

    def forward(self, grid: Tensor) -> Tensor:
        """(batch, channels, rows, columns) → (batch, channels)."""
        pooled = torch.einsum("bhij,bhcij->bhc", self.attention(grid), self._by_head(grid))
        return pooled.flatten(1)  # (batch, channels)

    def cells(self, grid: Tensor) -> Tensor:
        """(batch, channels, rows, columns), each head's channels by how much it looks there."""
        weights = self.attention(grid) * grid[0, 0].numel()  # their mean over the grid is 1
        return (weights[:, :, None] * self._by_head(grid)).flatten(1, 2)

    def _by_head(self, grid: Tensor) -> Tensor:
        """(batch, channels, rows, columns) → (batch, heads, channels / heads, rows, columns)."""
        batch, channels, rows, columns = grid.shape
        return grid.reshape(batch, self.heads, channels // self.heads, rows, columns)
