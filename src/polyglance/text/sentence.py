"""The frozen sentence encoder, and the part behind it that learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.data.text import normalise_text
from polyglance.features import Features
from polyglance.heads import ProjectionHead
from polyglance.text.base import TextEncoder
from polyglance.text.kept_vectors import KeptVectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Embedder(Protocol):
    """What embeds texts: :class:`~polyglance.text.sentence_encoder.SentenceEncoder`."""

    dimension: int

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts,) → (texts, dimension)."""
        ...


class SentenceTextEncoder(TextEncoder):
    """Sentence embeddings from an encoder that never learns, and a head that does.

    Embedding is by far the dearest part and gives the same row for the same text always, so rows
    are kept in memory: a caption is embedded in the first epoch only.

    Args:
        encoder: strings → rows. It is no module, and no part of a checkpoint.
        head: from its rows into the joint space, with unit rows; ``None``: they are in it.
        kept_texts: how many texts' rows to keep (2 KB each at 512 dimensions); the oldest go
            first, 0 keeps none.

    Raises:
        ValueError: ``kept_texts`` is negative.
    """

    place: Tensor

    def __init__(
        self,
        *,
        encoder: Embedder,
        head: ProjectionHead | ResidualHead | None,
        kept_texts: int = 100_000,
    ) -> None:
        super().__init__()
        self.dimension = encoder.dimension if head is None else head.dimension
        self.register_buffer("place", torch.empty(0), persistent=False)  # where the encoder is
        self.encoder = encoder
        self.head = head
        self._kept = KeptVectors(kept_texts, encoder.dimension)

    def prepare(
        self,
        texts: Sequence[str],
        languages: Sequence[str],  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """``embeddings`` float32 (texts, encoder's dimension); the encoder needs no language."""
        rows = self._kept.get([normalise_text(text) for text in texts], self.encoder.embed)
        return {"embeddings": torch.from_numpy(rows)}

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """(texts, encoder's dimension) → Features; moved to where the weights are."""
        rows = inputs["embeddings"].to(self.place.device)
        return Features(rows if self.head is None else self.head(rows))

    def parts(self) -> dict[str, nn.Module]:
        """``head`` alone, where there is one: the encoder never learns."""
        return {} if self.head is None else {"head": self.head}


class ResidualHead(nn.Module):
    """A perceptron beside the identity: it starts near the space that it came from.

    Args:
        dimension: of the input and of the output.
        hidden: width of the hidden layer.
        dropout: probability, on the hidden layer.

    Raises:
        ValueError: a dimension is not positive.
    """

    def __init__(self, *, dimension: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        if min(dimension, hidden) < 1:
            raise ValueError("every dimension of a residual head must be positive")
        self.dimension = dimension
        last = nn.Linear(hidden, dimension)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(
            nn.Linear(dimension, hidden), nn.GELU(), nn.Dropout(dropout), last
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., dimension) → (..., dimension) with unit rows."""
        return functional.normalize(inputs + self.layers(inputs), dim=-1)
