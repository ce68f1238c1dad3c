"""Backbone, pooling and projection: a picture in the joint space."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from polyglance.features import Features
from polyglance.heads import ProjectionHead
from polyglance.vision.base import Backbone
from polyglance.vision.pooling import GridPooling


class ImageEncoder(nn.Module):
    """Pixels, or what the backbone made of them earlier, to :class:`Features`.

    Args:
        backbone: frozen where none of its parameters requires a gradient; it then stays in
            evaluation mode and runs without a graph.
        pooling: over the backbone's grid; ``None`` takes the backbone's own pooled vector.
        head: projects the pooled vector, and each cell where ``with_tokens``.
        with_tokens: whether to return the projected cells as ``tokens``; needs a ``pooling``.

    Raises:
        ValueError: ``with_tokens`` without a grid to take them from.
    """

    def __init__(
        self,
        *,
        backbone: Backbone,
        pooling: GridPooling | None,
        head: ProjectionHead,
        with_tokens: bool = False,
    ) -> None:
        super().__init__()
        if with_tokens and pooling is None:
            raise ValueError("with_tokens needs a pooling over the grid, not the pooled vector")
        self.backbone = backbone
        self.pooling = pooling
        self.head = head
        self.with_tokens = with_tokens

    @property
    def is_frozen(self) -> bool:
        """Whether the backbone learns nothing."""
        return not any(parameter.requires_grad for parameter in self.backbone.parameters())

    def train(self, mode: bool = True) -> Self:
        """Switch to training; a frozen backbone stays as it is."""
        super().train(mode)
        if self.is_frozen:
            self.backbone.eval()
        return self

    def backbone_features(self, pixels: Tensor) -> Tensor:
        """What the part that learns starts from, and what a feature store keeps.

        Args:
            pixels: (batch, 3, height, width) uint8.

        Returns:
            The grid (batch, channels, rows, columns) where there is a pooling, else the pooled
            vector (batch, channels).
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.is_frozen):
            features = self.backbone(pixels)
        kept: Tensor = features.pooled if self.pooling is None else features.grid
        return kept

    def forward(self, images: Tensor) -> Features:
        """Encode pixels (uint8) or the result of :meth:`backbone_features` (floating point).

        Args:
            images: (batch, 3, height, width) uint8, (batch, channels, rows, columns), or
                (batch, channels).
        """
        kept = self.backbone_features(images) if images.dtype == torch.uint8 else images
        kept = kept.to(self.head_dtype)
        pooled = kept if self.pooling is None else self.pooling(kept)  # (batch, channels)
        embedding = self.head(pooled)  # (batch, dim)
        if not self.with_tokens:
            return Features(embedding=embedding)
        tokens = self.head(kept.flatten(2).transpose(1, 2))  # (batch, rows · columns, dim)
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        return Features(embedding=embedding, tokens=tokens, mask=mask)

    @property
    def head_dtype(self) -> torch.dtype:
        """Stores keep half precision; the head computes in its own."""
        return next(self.head.parameters()).dtype
