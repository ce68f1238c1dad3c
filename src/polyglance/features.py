"""What every encoder returns, for pictures and for texts alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Features:
    """Encoded pictures or texts; one type for both keeps matching symmetrical.

    Attributes:
        embedding: (batch, dim), L2-normalised rows.
        tokens: (batch, length, dim), regions or words, for systems that compare parts.
        mask: (batch, length), true where ``tokens`` holds something.
    """

    embedding: Tensor
    tokens: Tensor | None = None
    mask: Tensor | None = None

    def __len__(self) -> int:
        """How many pictures or texts these are."""
        return len(self.embedding)

    def rows(self, rows: slice | Tensor) -> Features:
        """Some of them."""
        return Features(
            embedding=self.embedding[rows],
            tokens=None if self.tokens is None else self.tokens[rows],
            mask=None if self.mask is None else self.mask[rows],
        )

    def to(self, device: torch.device) -> Features:
        """The same, on a device."""
        return Features(
            embedding=self.embedding.to(device),
            tokens=None if self.tokens is None else self.tokens.to(device),
            mask=None if self.mask is None else self.mask.to(device),
        )

    def halved(self) -> Features:
        """Tokens in bfloat16, in half the memory; products of unit vectors hardly notice."""
        import torch

        if self.tokens is None:
            return self
        return Features(self.embedding, self.tokens.to(torch.bfloat16), self.mask)


def joined(parts: Sequence[Features]) -> Features:
    """Several batches as one, padded to the longest; all of them have tokens, or none has.

    Raises:
        ValueError: there is nothing to join, or only some have tokens.
    """
    import torch
    from torch.nn.functional import pad

    if not parts:
        raise ValueError("no features to join")
    embedding = torch.cat([part.embedding for part in parts])  # (all, dim)
    tokens = [part.tokens for part in parts if part.tokens is not None]
    if not tokens:
        return Features(embedding)
    if len(tokens) < len(parts):
        raise ValueError(f"{len(tokens)} of {len(parts)} features have tokens; all must, or none")
    longest = max(some.shape[1] for some in tokens)
    masks = [
        some.new_ones(some.shape[:2], dtype=torch.bool) if part.mask is None else part.mask
        for part, some in zip(parts, tokens, strict=True)
    ]
    return Features(
        embedding,
        torch.cat([pad(some, (0, 0, 0, longest - some.shape[1])) for some in tokens]),
        torch.cat([pad(mask, (0, longest - mask.shape[1])) for mask in masks]),
    )
