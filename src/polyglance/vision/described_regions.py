"""Regions of a picture as a single-stream transformer reads them: what, where, and of which class.

VL-BERT (Su et al., "VL-BERT: pre-training of generic visual-linguistic representations", ICLR 2020,
section 3.2) takes a detector's regions: the feature of each, its box, and the detector's
probabilities as soft labels of masked ones. Here they may also be the cells of any backbone's grid,
whose box is the cell and whose probabilities are the backbone's own classifier's for that cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from polyglance.errors import ModelError
from polyglance.precision import at_least_float32
from polyglance.vision.backbone_reader import BackboneReader, present
from polyglance.vision.base import Backbone
from polyglance.vision.boxes import cell_boxes, spans
from polyglance.vision.precomputed import PrecomputedBackbone

BOX = 4  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class DescribedRegions:
    """Regions of pictures, what is known of them besides their features, and which are padding.

    Attributes:
        features: (n, regions, channels).
        boxes: (n, regions, 4) float32 left, top, right, bottom as shares of the picture's sides;
            zeros for padding, and everywhere where nobody knows the boxes.
        probabilities: (n, regions, classes) float32 without gradients, or ``None``; zeros for
            padding.
        mask: (n, regions) bool, true where there is a region.
    """

    features: Tensor
    boxes: Tensor
    probabilities: Tensor | None
    mask: Tensor

    def __len__(self) -> int:
        """How many pictures these are regions of."""
        return len(self.features)

    def rows(self, rows: slice | Tensor) -> DescribedRegions:
        """Those of some of the pictures."""
        return DescribedRegions(
            features=self.features[rows],
            boxes=self.boxes[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            mask=self.mask[rows],
        )


class RegionDescriber(BackboneReader):
    """Pixels, or what the backbone made of them earlier, to :class:`DescribedRegions`.

    What is kept of a regular grid is what an :class:`~polyglance.vision.image_encoder.ImageEncoder`
    over its cells keeps: they share a feature store. The boxes of a backbone that finds them travel
    behind the features. So do boxes and probabilities from files, as
    :class:`~polyglance.data.described_store.DescribedStore` joins them.

    Args:
        backbone: of the regions.
        probabilities: whether to give the classes' too.
        cells_per_side: a regular grid is averaged to so many rows and columns, each over its share
            of the cells, overlapping where they do not divide (adaptive average pooling).

    Attributes:
        classes: how many probabilities a region has; ``None`` where they are not asked for.

    Raises:
        ModelError: the backbone has no classes, or no grid of so many cells.
    """

    def __init__(
        self,
        *,
        backbone: Backbone,
        probabilities: bool = False,
        cells_per_side: int | None = None,
    ) -> None:
        super().__init__(backbone=backbone, keeps="boxed" if backbone.finds_boxes else "regions")
        name = type(backbone).__name__
        if probabilities and backbone.classes is None:
            raise ModelError(
                f"{name} knows no classes, so its regions have no class probabilities; leave out "
                "the task that learns them (mrc), or take a backbone with a classifier (resnet50)"
            )
        self.classes = backbone.classes if probabilities else None
        self._from_files = isinstance(backbone, PrecomputedBackbone)
        self._is_grid = not (self._from_files or backbone.finds_boxes)
        least = min(backbone.grid_size)
        if cells_per_side is not None and not (self._is_grid and 1 <= cells_per_side <= least):
            raise ModelError(
                f"cells_per_side = {cells_per_side}: {name} has no regular grid of that many cells "
                "a side to average"
            )
        self.cells_per_side = cells_per_side

    def forward(self, images: Tensor) -> DescribedRegions:
        """Describe pixels (uint8), or kept rows (floating point).

        Args:
            images: (n, 3, height, width) uint8, or (n, regions, row) as
                :meth:`backbone_features` or a store gave them; (n, channels) for one region each.

        Raises:
            ModelError: rows have another width than those of this backbone.
        """
        kept = self.backbone_features(images) if images.dtype == torch.uint8 else images
        kept = kept[:, None] if kept.dim() == 2 else kept  # (n, regions, row)
        self._check_width(kept.shape[2])
        channels = self.backbone.channels
        features = _as_computed(kept[..., :channels]).contiguous()  # (n, regions, channels)
        rest = kept[..., channels:].float()  # (n, regions, 0 or 4 or 4 + classes)
        if self._is_grid:
            features, boxes = self._cells(features)
        else:
            boxes = rest[..., :BOX] if rest.shape[2] else rest.new_zeros(*rest.shape[:2], BOX)
        mask = present(features.detach())  # (n, regions)
        return DescribedRegions(features, boxes, self._probabilities(features, rest, mask), mask)

    def _cells(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Cells (n, rows · columns, channels) → those to describe, and their boxes."""
        rows, columns = self._shape(features.shape[1])
        down = spans(rows, self.cells_per_side or rows)
        across = spans(columns, self.cells_per_side or columns)
        boxes = cell_boxes(down, across).to(features.device)  # (cells, 4)
        if self.cells_per_side is not None:
            each = torch.kron(_means(down), _means(across)).to(features)  # (cells, rows · columns)
            features = each @ features  # (n, cells, channels)
        return features, boxes.expand(len(features), -1, -1)

    def _shape(self, cells: int) -> tuple[int, int]:
        """Rows and columns of the grid: the usual ones, or those of a picture of another size."""
        rows, columns = self.backbone.grid_size
        if rows * columns == cells:
            return rows, columns
        side = math.isqrt(cells)
        if side * side != cells or side < (self.cells_per_side or 1):
            raise ModelError(f"{cells} regions a picture are no grid of {rows} × {columns} cells")
        return side, side

    def _probabilities(self, features: Tensor, rest: Tensor, mask: Tensor) -> Tensor | None:
        """(n, regions, classes) float32, or ``None`` where nobody asks."""
        if self.classes is None:
            return None
        if self._from_files:
            return rest[..., BOX:]
        with torch.no_grad():
            likely = self.backbone.classify(features).float().softmax(-1)
            return likely * mask[..., None]

    def _check_width(self, width: int) -> None:
        """See that a row is what the backbone, or a store beside it, gives.

        Raises:
            ModelError: it is not.
        """
        channels = self.backbone.channels
        if self._from_files:
            boxed = channels + BOX + (self.classes or 0)
            fits = {boxed} if self.classes else {channels, boxed}
        else:
            fits = {channels if self._is_grid else channels + BOX}
        if width not in fits:
            expected = " or ".join(map(str, sorted(fits)))
            raise ModelError(
                f"regions have {width} numbers each, and this model reads {expected}; fill the "
                "feature store with this model's backbone, or prepare it with boxes"
            )


def _as_computed(kept: Tensor) -> Tensor:
    """Kept features in the number format that is computed in; stores have half precision."""
    device = kept.device.type
    if torch.is_autocast_enabled(device):
        return kept.to(torch.get_autocast_dtype(device))
    return at_least_float32(kept)


def _means(spans: list[tuple[int, int]]) -> Tensor:
    """(parts, cells) whose rows average the cells of each part of a side."""
    weights = torch.zeros(len(spans), spans[-1][1])
    for part, (start, end) in enumerate(spans):
        weights[part, start:end] = 1 / (end - start)
    return weights
