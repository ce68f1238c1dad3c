"""A picture as regions: non-local block, projection of each region, mean."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.features import Features
from polyglance.precision import at_least_float32, full_precision
from polyglance.unit import LEAST_LENGTH, unit_rows
from polyglance.vision.backbone_reader import present
from polyglance.vision.base import Backbone, BackboneFeatures
from polyglance.vision.image_encoder import ImageEncoder
from polyglance.vision.localisation import Cells
from polyglance.vision.non_local import NEGATIVE_SLOPE, NonLocal


class RegionEncoder(ImageEncoder):
    """Regions of a picture in the joint space, and their mean.

    The image side of Wehrmann et al. (ICCV 2019, section 2.3): regions → non-local block →
    one-dimensional convolution with a kernel of one → average. Without block and activation it is
    that of SCAN (Lee et al., ECCV 2018, section 3.2), which compares the regions themselves.

    Regions are the cells of a backbone's grid, or come as such; a region of zeros is padding. It
    takes part in nothing, so that an embedding does not depend on how many regions the pictures
    beside it have.

    Args:
        backbone: see :class:`ImageEncoder`.
        non_local: over the regions; ``None`` for no block.
        dimension: of the joint space.
        activation: a leaky rectifier of slope .1 behind the projection.
        normalise_regions: bring each projected region to unit length before the mean.
        keep_tokens: hand on the projected regions as ``tokens``, with their ``mask``.
        dropout: probability of a channel of the backbone to be left out, in all regions of a
            picture alike.
    """

    def __init__(
        self,
        *,
        backbone: Backbone,
        non_local: NonLocal | None,
        dimension: int,
        activation: bool = True,
        normalise_regions: bool = True,
        keep_tokens: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(backbone=backbone, dimension=dimension, keeps="regions")
        channels = backbone.channels if non_local is None else non_local.output_channels
        self.dropout = dropout
        self.non_local = non_local
        self.projection = nn.Linear(channels, dimension)
        self.activation = activation
        self.normalise_regions = normalise_regions
        self.keep_tokens = keep_tokens

    def learned(self) -> nn.Module:
        """Non-local block and projection."""
        if self.non_local is None:
            return self.projection
        return nn.ModuleList([self.non_local, self.projection])

    def forward(self, images: Tensor) -> Features:
        """Encode pixels (uint8), or regions (floating point).

        Args:
            images: (batch, 3, height, width) uint8, (batch, regions, channels), or (batch,
                channels) for one region each.
        """
        kept = self.read(images)
        regions = kept[:, None] if kept.dim() == 2 else kept  # (batch, regions, channels)
        projected, mean, mask = self._regions_and_mean(regions)
        embedding = functional.normalize(mean, dim=-1)
        if self.keep_tokens:
            return Features(embedding, tokens=projected, mask=mask)
        return Features(embedding)

    def cells(self, pixels: Tensor) -> Cells:
        """The projected regions, divided by the length of their mean.

        The mean of those that are no padding is the embedding, and a region's inner product with a
        text what it contributes to the cosine.
        """
        features: BackboneFeatures = self.backbone(pixels)
        grid = features.grid  # (batch, channels, rows, columns)
        projected, mean, _ = self._regions_and_mean(self.read(grid.flatten(2).mT.contiguous()))
        length = mean.norm(dim=1).clamp(min=LEAST_LENGTH)  # (batch,)
        return Cells(
            vectors=projected / length[:, None, None],
            shape=(grid.shape[2], grid.shape[3]),
            boxes=features.boxes,
        )

    def _regions_and_mean(self, regions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(batch, regions, channels) → projected regions, their mean (batch, dim), their mask."""
        mask = present(regions.detach())  # (batch, regions)
        projected = self._project(regions, mask)  # (batch, regions, dimension)
        weights = mask.to(projected.dtype)  # (batch, regions)
        weights = weights / weights.sum(1, keepdim=True).clamp(min=1)
        with full_precision(projected):
            if self.normalise_regions:
                projected = unit_rows(projected)
            mean = torch.einsum("br,brd->bd", weights, projected)  # (batch, dimension)
        return projected, mean, mask

    def _project(self, regions: Tensor, mask: Tensor) -> Tensor:
        """(batch, regions, channels) → (batch, regions, dimension), float32 or better."""
        if self.training and self.dropout:
            whole = regions.new_ones(len(regions), 1, regions.shape[2])
            regions = regions * functional.dropout(whole, self.dropout)
        if self.non_local is not None:
            regions = self.non_local(regions, mask)
        projected = self.projection(regions)
        if self.activation:
            projected = functional.leaky_relu(projected, NEGATIVE_SLOPE)
        return at_least_float32(projected)
