"""From a grid to the space of captions: several small heads beside one another.

Each branch is an independently drawn head over the same cells and is trained with a loss
of its own; joined, their cosines are averaged. An ensemble of small heads overfits less than one
head of their joint size (Lee et al., "Why M heads are better than one", 2015, section 4).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class CaptionBranch(nn.Module):
    """Attention pooling over cells, and class names → a unit vector.

    Each head has a learned query over the cells (Vaswani et al., NeurIPS 2017, section 3.2.2, with
    a query that does not depend on the picture).

    Args:
        channels: of a cell.
        heads: learned queries; must divide ``dimension``.
        dimension: of the output.
        hidden: of the residual MLP.
        names_dimension: of the class-name vector that is added.
        dropout: on the pooled vectors and inside the MLP.
    """

    def __init__(
        self,
        *,
        channels: int,
        heads: int,
        dimension: int,
        hidden: int,
        names_dimension: int,
        dropout: float,
    ) -> None:
        super().__init__()
        each = dimension // heads
        self.root = channels**0.5
        self.query = nn.Linear(channels, heads, bias=False)
        nn.init.normal_(self.query.weight, std=0.02)
        self.values = nn.Parameter(torch.randn(heads, channels, each) * channels**-0.5)
        self.mean = nn.Linear(channels, dimension)
        self.names = nn.Linear(names_dimension, dimension, bias=False)
        self.names_weight = nn.Parameter(torch.tensor(0.3))
        self.norm = nn.LayerNorm(dimension)
        self.dropout = nn.Dropout(dropout)
        last = nn.Linear(hidden, dimension)
        nn.init.zeros_(last.weight)
        self.mix = nn.Sequential(nn.Linear(dimension, hidden), nn.GELU(), nn.Dropout(dropout), last)
        nn.init.orthogonal_(self.names.weight)

    def forward(self, cells: Tensor, names: Tensor) -> Tensor:
        """(batch, cells, channels), (batch, names_dimension) → (batch, dimension)."""
        weights = torch.softmax(self.query(cells), dim=1)  # (batch, cells, heads)
        pooled = self._level(torch.einsum("bnh,bnc->bhc", weights, cells))
        mean = self._level(cells.mean(1))  # (batch, channels)
        looked = torch.einsum("bhc,hcd->bhd", self.dropout(pooled), self.values).flatten(1)
        seen = self.norm(looked + self.mean(self.dropout(mean)))
        seen = functional.normalize(seen + self.mix(seen), dim=1)
        named = functional.normalize(self.names(names), dim=1)
        return functional.normalize(seen + self.names_weight * named, dim=1)

    def _level(self, vectors: Tensor) -> Tensor:
        levelled: Tensor = functional.normalize(vectors, dim=-1) * self.root
        return levelled


class CaptionHead(nn.Module):
    """Grid → cells → branches.

    The grid's activations are square-rooted, which evens out a few large ones (as in Perronnin et
    al., ECCV 2010, section 3.2), and projected onto their principal components; both are fixed.

    Args:
        channels: of the grid.
        components: principal components that are kept.
        heads: see :class:`CaptionBranch`.
        branches: how many heads stand beside one another.
        dimension: of a branch's output.
        hidden: likewise.
        names_dimension: likewise.
        dropout: likewise.
    """

    origin: Tensor
    components: Tensor

    def __init__(
        self,
        *,
        channels: int = 2048,
        components: int = 512,
        heads: int = 8,
        branches: int = 2,
        dimension: int = 256,
        hidden: int = 768,
        names_dimension: int = 512,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dimension = dimension
        self.register_buffer("origin", torch.zeros(channels))
        self.register_buffer("components", torch.zeros(channels, components))
        self.branches = nn.ModuleList(
            CaptionBranch(
                channels=components,
                heads=heads,
                dimension=dimension,
                hidden=hidden,
                names_dimension=names_dimension,
                dropout=dropout,
            )
            for _ in range(branches)
        )

    def reduce(self, grid: Tensor) -> Tensor:
        """(batch, channels, rows, columns) → (batch, rows · columns, components)."""
        cells = grid.flatten(2).transpose(1, 2).clamp(min=0).sqrt()  # (batch, cells, channels)
        return (cells - self.origin) @ self.components

    def forward(self, cells: Tensor, names: Tensor) -> Tensor:
        """What ``reduce`` gave, and (batch, names) unit rows → (batch, branches, dimension)."""
        return torch.stack([branch(cells, names) for branch in self.branches], dim=1)
