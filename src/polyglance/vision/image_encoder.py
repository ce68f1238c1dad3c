"""Backbone, pooling and projection: a picture in the joint space."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from polyglance.features import Features
from polyglance.heads import ProjectionHead
from polyglance.vision.base import Backbone, BackboneFeatures
from polyglance.vision.pooling import GridPooling

PICTURES_PER_THREAD = 8
"""A frozen backbone on a CPU takes so many at once for each thread: their activations stay in the
processor's cache. In CPU time of one thread, bfloat16, eights beat batches of 32 by 1.3 with
ResNet-50 and by 2.2 with EfficientNet-Lite0."""


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
        frozen = self.is_frozen
        few = len(pixels)
        if frozen and pixels.device.type == "cpu":
            few = PICTURES_PER_THREAD * torch.get_num_threads()
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            parts = [self._kept(self.backbone(part)) for part in torch.split(pixels, max(few, 1))]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _kept(self, features: BackboneFeatures) -> Tensor:
        return features.pooled if self.pooling is None else features.grid

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
