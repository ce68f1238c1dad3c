"""From a grid of cells to one vector."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class GridPooling(nn.Module, ABC):
    """(batch, channels, rows, columns) → (batch, channels)."""

    @abstractmethod
    def attention(self, grid: Tensor) -> Tensor:
        """(batch, channels, rows, columns) → (batch, heads, rows, columns), each map sums to 1."""

    @abstractmethod
    def forward(self, grid: Tensor) -> Tensor:
        """(batch, channels, rows, columns) → (batch, channels)."""


class MeanPooling(GridPooling):
    """Every cell counts the same."""

    def attention(self, grid: Tensor) -> Tensor:
        """(batch, channels, rows, columns) → (batch, 1, rows, columns), constant."""
        batch, _, rows, columns = grid.shape
        return grid.new_full((batch, 1, rows, columns), 1 / (rows * columns))

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
        """(batch, channels, rows, columns) → (batch, heads, rows, columns)."""
        scores = torch.einsum("bcij,hc->bhij", grid, self.query) * self.scale
        weights: Tensor = scores.flatten(2).softmax(-1)  # (batch, heads, rows · columns)
        return weights.view_as(scores)

    def forward(self, grid: Tensor) -> Tensor:
        """(batch, channels, rows, columns) → (batch, channels)."""
        batch, channels, rows, columns = grid.shape
        values = grid.reshape(batch, self.heads, channels // self.heads, rows, columns)
        pooled = torch.einsum("bhij,bhcij->bhc", self.attention(grid), values)
        return pooled.flatten(1)  # (batch, channels)
