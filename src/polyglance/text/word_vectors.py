"""Word vectors: learned from scratch, or pretrained and, if so wished, really frozen."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class WordVectors(nn.Module):
    """One vector a word of a tokenizer's vocabulary.

    Frozen vectors are a buffer and no parameter, so neither an optimiser, nor weight decay, nor a
    later ``requires_grad_(True)`` on the whole model can move them; they are saved all the same.

    Args:
        vectors: (vocabulary, dimension), copied.
        frozen: never train them.

    Raises:
        ValueError: ``vectors`` is not a non-empty float matrix.
    """

    vectors: Tensor

    def __init__(self, *, vectors: Tensor, frozen: bool = False) -> None:
        super().__init__()
        if vectors.dim() != 2 or not vectors.numel() or not vectors.is_floating_point():
            raise ValueError(
                f"vectors must be a float matrix (vocabulary, dimension); got {vectors.dtype} "
                f"{tuple(vectors.shape)}"
            )
        vectors = vectors.detach().clone()
        if frozen:
            self.register_buffer("vectors", vectors)
        else:
            self.vectors = nn.Parameter(vectors)

    @classmethod
    def uniform(cls, *, vocabulary_size: int, dimension: int = 300) -> WordVectors:
        """Learned vectors that start from U(−.1, .1), as in VSE++ (Faghri et al. 2018)."""
        return cls(vectors=torch.empty(vocabulary_size, dimension).uniform_(-0.1, 0.1))

    @property
    def dimension(self) -> int:
        """Of one vector."""
        return self.vectors.shape[1]

    def forward(self, ids: Tensor) -> Tensor:
        """Int64 (batch, length) → (batch, length, dimension)."""
        return functional.embedding(ids, self.vectors)
