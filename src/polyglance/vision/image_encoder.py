"""Image encoders: a backbone, and what is learned on top of it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from polyglance.errors import ModelError
from polyglance.features import Features
from polyglance.heads import ProjectionHead
from polyglance.unit import LEAST_LENGTH
from polyglance.vision.backbone_reader import BackboneReader, Kept, present
from polyglance.vision.base import Backbone, BackboneFeatures
from polyglance.vision.localisation import Cells
from polyglance.vision.pooling import GridPooling, MeanPooling
from polyglance.vision.weldon import WeldonPooling

STRONGEST = 180 / 2400
"""Share of a text's dimensions that localise it over a WELDON map, as in the published code."""


class ImageEncoder(BackboneReader, ABC):
    """Pixels, or what the backbone made of them earlier, to :class:`Features`.

    Args:
        backbone: see :class:`BackboneReader`.
        dimension: of the joint space.
        keeps: see :class:`BackboneReader`.
    """

    def __init__(self, *, backbone: Backbone, dimension: int, keeps: Kept) -> None:
        super().__init__(backbone=backbone, keeps=keeps)
        self.dimension = dimension

    @abstractmethod
    def forward(self, images: Tensor) -> Features:
        """Encode pixels (uint8) or the result of :meth:`backbone_features` (floating point)."""

    @abstractmethod
    def cells(self, pixels: Tensor) -> Cells:
        """The parts of pictures in the joint space, scaled as the embedding is.

        Args:
            pixels: (batch, 3, height, width) uint8.

        Raises:
            ModelError: the encoder sees pictures only as a whole.
        """

    @property
    def localises(self) -> bool:
        """Whether it has :meth:`cells`."""
        return True

    @abstractmethod
    def learned(self) -> nn.Module:
        """Everything behind the backbone."""

    def read(self, images: Tensor) -> Tensor:
        """Pixels or kept features → kept features, in the number format that is computed in.

        Stores keep half precision. Under autocast they become what autocast would make of them
        anyway, in one pass instead of two.
        """
        kept = self.backbone_features(images) if images.dtype == torch.uint8 else images
        device = kept.device.type
        if torch.is_autocast_enabled(device):
            return kept.to(torch.get_autocast_dtype(device))
        return kept.to(next(self.learned().parameters()).dtype)


class PooledImageEncoder(ImageEncoder):
    """Backbone, pooling and projection: a picture as one vector.

    Args:
        backbone: see :class:`ImageEncoder`.
        pooling: over the backbone's grid; ``None`` takes the backbone's own pooled vector.
        head: projects the pooled vector.
    """

    def __init__(
        self, *, backbone: Backbone, pooling: GridPooling | None, head: ProjectionHead
    ) -> None:
        keeps: Kept = "pooled" if pooling is None else "regions"
        super().__init__(backbone=backbone, dimension=head.dimension, keeps=keeps)
        self.pooling = pooling
        self.head = head

    def learned(self) -> nn.Module:
        """Pooling and projection."""
        return self.head if self.pooling is None else nn.ModuleList([self.pooling, self.head])

    def forward(self, images: Tensor) -> Features:
        """Encode pixels (uint8) or the result of :meth:`backbone_features` (floating point).

        Args:
            images: (batch, 3, height, width) uint8, (batch, regions, channels) or (batch,
                channels).
        """
        kept = self.read(images)
        if self.pooling is not None:
            pooled = pool_regions(kept, self.pooling)  # (batch, pooled channels)
        else:
            pooled = mean_region(kept) if kept.dim() == 3 else kept  # (batch, channels)
        return Features(embedding=self.head(pooled))  # (batch, dimension)

    @property
    def localises(self) -> bool:
        """Whether there is a grid behind what is pooled."""
        return self.pooling is not None or self.backbone.pools_by_mean

    def cells(self, pixels: Tensor) -> Cells:
        """The head on the vector of each cell, divided by the length that it gives the whole.

        With a linear head the mean of the cells is the embedding, so that a cell's inner product
        with a text is what it contributes to the score. Not so where a head has a hidden layer: it
        is then asked about each cell alone. Nor with WELDON pooling, where the map is projected
        before it is pooled and compared in the strongest dimensions of a text (Engilberge et al.,
        CVPR 2018; Portaz et al., 2019, section 3.5).

        Args:
            pixels: (batch, 3, height, width) uint8.

        Raises:
            ModelError: the backbone's global feature is no mean of its grid.
        """
        if not self.localises:
            raise ModelError(
                f"this model takes the global feature of its {type(self.backbone).__name__}, which "
                "does not say where anything is; a model with image.pooling.kind = 'mean', "
                "'attention' or 'weldon' can be asked for the place"
            )
        features: BackboneFeatures = self.backbone(pixels)
        grid = self.read(features.grid)
        pooling = self.pooling or MeanPooling()
        each = pooling.cells(grid).flatten(2).mT  # (batch, cells, pooled channels)
        whole = self.head.layers(pool_regions(grid.flatten(2).mT, pooling))  # (batch, dimension)
        length = whole.float().norm(dim=1).clamp(min=LEAST_LENGTH)
        return Cells(
            vectors=self.head.layers(each).float() / length[:, None, None],
            shape=(grid.shape[2], grid.shape[3]),
            boxes=features.boxes,
            strongest=self._strongest() if isinstance(pooling, WeldonPooling) else None,
        )

    def _strongest(self) -> int:
        """Of how many dimensions a text keeps its values over a WELDON map."""
        return max(1, round(STRONGEST * self.dimension))


def mean_region(regions: Tensor) -> Tensor:
    """(batch, regions, channels) → (batch, channels); a region of zeros is padding."""
    count = regions.any(-1).sum(-1, keepdim=True).clamp(min=1)  # (batch, 1)
    return regions.sum(1) / count.to(regions.dtype)


def pool_regions(regions: Tensor, pooling: GridPooling) -> Tensor:
    """Pool those that are no padding, in pictures with as many of them at a time.

    Args:
        regions: (batch, regions, channels), zeros for padding, or (batch, channels) for one each.
        pooling: to which the places of regions do not matter.

    Returns:
        (batch, pooled channels).
    """
    regions = regions[:, None] if regions.dim() == 2 else regions  # (batch, regions, channels)
    there = present(regions.detach())  # (batch, regions)
    there[:, 0] |= ~there.any(1)  # of a picture without any, the padding
    counts = there.sum(1)  # (batch,)
    if bool((counts == regions.shape[1]).all()):  # as of all grids
        return _pooled(regions, pooling)
    parts, order = [], []
    for count in sorted({*counts.tolist()}):
        [chosen] = torch.nonzero(counts == count, as_tuple=True)  # (pictures,)
        some = regions[chosen][there[chosen]]  # (pictures · count, channels)
        parts.append(_pooled(some.view(len(chosen), count, -1), pooling))
        order.append(chosen)
    return torch.cat(parts)[torch.cat(order).argsort()]  # (batch, pooled channels)


def _pooled(regions: Tensor, pooling: GridPooling) -> Tensor:
    """(batch, regions, channels) → (batch, pooled channels)."""
    pooled: Tensor = pooling(regions.mT[..., None])
    return pooled
