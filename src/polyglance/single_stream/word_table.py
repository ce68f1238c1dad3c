"""The vectors of a vocabulary, whole or through a smaller dimension."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.unit import unit_rows

DEVIATION = 0.02  # of BERT's vectors at the start


class WordTable(nn.Module):
    """Ids to vectors in the transformer's width, and states back to a score for each id.

    With a projection the table is factorised, as in ALBERT (Lan et al., ICLR 2020, section 3.1):
    vectors of a dimension of their own and one linear layer into the width. Vectors that were made
    elsewhere can so be taken over whatever their dimension is.

    Args:
        vectors: (vocabulary, dimension).
        projection: from the dimension into the width, without bias; ``None`` where they are equal.
        frozen: the vectors stay as they are, and only the projection learns.

    Raises:
        ValueError: the vectors are frozen, and there is no projection to learn.
    """

    def __init__(
        self, *, vectors: Tensor, projection: nn.Linear | None = None, frozen: bool = False
    ) -> None:
        super().__init__()
        if frozen and projection is None:
            raise ValueError("frozen vectors need a projection that learns")
        self.vectors: Tensor
        if frozen:  # a buffer, which no phase of training can thaw
            self.register_buffer("vectors", vectors)
        else:
            self.vectors = nn.Parameter(vectors)
        self.projection = projection
        self.width = vectors.shape[1] if projection is None else projection.out_features

    def __len__(self) -> int:
        """Size of the vocabulary."""
        return len(self.vectors)

    def forward(self, ids: Tensor) -> Tensor:
        """(…) int64 → (…, width)."""
        rows = functional.embedding(ids, self.vectors)  # (…, dimension)
        return rows if self.projection is None else self.projection(rows)

    def scores(self, states: Tensor) -> Tensor:
        """(…, width) → (…, vocabulary): inner products with every word's vector, as above."""
        if self.projection is not None:
            states = functional.linear(states, self.projection.weight.T)  # (…, dimension)
        return functional.linear(states, self.vectors)


def new_word_table(
    *,
    vocabulary_size: int,
    width: int,
    dimension: int | None = None,
    vectors: Tensor | None = None,
    frozen: bool = False,
) -> WordTable:
    """A table that has yet to learn; its vectors come out about as large as BERT's at the start.

    Args:
        vocabulary_size: how many ids.
        width: of the transformer.
        dimension: of the vectors; ``None`` for the width itself and no projection.
        vectors: (vocabulary_size, ``dimension``) whose directions to start from; the others, and
            rows of zeros, start at random.
        frozen: see :class:`WordTable`.

    Raises:
        ValueError: ``vectors`` are of another shape, or they are frozen without a dimension.
    """
    rows = torch.randn(vocabulary_size, dimension or width)
    if vectors is not None:
        if vectors.shape != rows.shape:
            raise ValueError(
                f"vectors of shape {tuple(vectors.shape)} cannot fill {tuple(rows.shape)}"
            )
        rows = torch.where(vectors.any(-1, keepdim=True), vectors.to(rows), rows)
    rows = unit_rows(rows)
    if dimension is None:
        return WordTable(vectors=rows * DEVIATION * width**0.5, frozen=frozen)
    projection = nn.Linear(dimension, width, bias=False)
    nn.init.normal_(projection.weight, std=DEVIATION)
    return WordTable(vectors=rows, projection=projection, frozen=frozen)
