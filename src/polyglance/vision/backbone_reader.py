"""What is kept of a backbone's features: by a feature store, and by all that learns from them."""

from __future__ import annotations

from typing import Literal, Self

import torch
from torch import Tensor, nn

from polyglance.vision.base import Backbone, BackboneFeatures
from polyglance.vision.preprocessing import Preprocessing

Kept = Literal["regions", "boxed", "pooled"]

PICTURES_PER_THREAD = 8
"""A frozen backbone on a CPU takes so many at once for each thread: their activations stay in the
processor's cache. In CPU time of one thread, bfloat16, eights beat batches of 32 by 1.3 with
ResNet-50 and by 2.2 with EfficientNet-Lite0."""

FEW_CHANNELS = 64


class BackboneReader(nn.Module):
    """A backbone, frozen or not, and which of its features are read.

    Args:
        backbone: frozen where none of its parameters requires a gradient; it then stays in
            evaluation mode and runs without a graph.
        keeps: what of the backbone's features is read, and kept in a feature store.
    """

    def __init__(self, *, backbone: Backbone, keeps: Kept) -> None:
        super().__init__()
        self.backbone = backbone
        self.keeps = keeps

    @property
    def is_frozen(self) -> bool:
        """Whether the backbone learns nothing."""
        return not any(parameter.requires_grad for parameter in self.backbone.parameters())

    @property
    def preprocessing(self) -> Preprocessing:
        """From decoded pictures, or frames of a video, to the pixels that are read."""
        return self.backbone.preprocessing

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
            As ``keeps`` says: the cells of the grid as regions (batch, rows · columns, channels);
            the same with the box of each in four channels more; or the pooled vector (batch,
            channels).
        """
        frozen = self.is_frozen
        few = len(pixels)
        if frozen and pixels.device.type == "cpu":
            few = PICTURES_PER_THREAD * torch.get_num_threads()
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            parts = [self._kept(self.backbone(part)) for part in torch.split(pixels, max(few, 1))]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _kept(self, features: BackboneFeatures) -> Tensor:
        match self.keeps:
            case "regions":
                return _regions(features)
            case "boxed":
                assert features.boxes is not None  # noqa: S101 -- the backbone finds_boxes
                regions = _regions(features)
                return torch.cat([regions, features.boxes.to(regions)], dim=2)
            case "pooled":
                return features.pooled


def _regions(features: BackboneFeatures) -> Tensor:
    """Grid (batch, channels, rows, columns) → (batch, rows · columns, channels)."""
    return features.grid.flatten(2).mT.contiguous()


def present(regions: Tensor) -> Tensor:
    """(batch, regions, channels) → (batch, regions), false where all channels are zero: padding.

    Few channels tell it of most regions, and all of them are only looked at for the others.
    """
    there = regions[..., :FEW_CHANNELS].any(-1)
    there[~there] = regions[~there].any(-1)
    return there
