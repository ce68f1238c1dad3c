"""Regions of a user's own pictures: objects that a detector finds, as a backbone sees them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from polyglance.errors import ModelError
from polyglance.vision.base import Backbone, BackboneFeatures
from polyglance.vision.boxes import pool_boxes
from polyglance.vision.detector import Detections

WHOLE = (0.0, 0.0, 1.0, 1.0)


class FindsObjects(Protocol):
    """What a region backbone asks of a detector."""

    fingerprint: str

    def __call__(self, pixels: Tensor, *, limit: int) -> Detections:
        """(3, height, width) uint8 → at most ``limit`` objects, the likeliest first."""


class RegionBackbone(Backbone):
    """The whole picture and the objects in it, each as the mean of the backbone's grid there.

    In the manner of bottom-up attention (Anderson et al., CVPR 2018), with parts that can be had:
    a detector of COCO's classes proposes the boxes, and the features are those of a classifier.

    The regions are handed on as a grid of one column. Where a picture shows fewer objects, the
    rest of the column is zero, which a :class:`RegionEncoder` takes for padding.

    Args:
        backbone: whose grid the regions are cut from; the finer, the better small objects are
            seen: with ``size`` 448 a ResNet-50 has 14 × 14 cells.
        detector: finds objects.
        regions: of a picture, the whole one among them.

    Raises:
        ValueError: ``regions`` is not positive.
    """

    finds_boxes = True

    def __init__(self, *, backbone: Backbone, detector: FindsObjects, regions: int = 36) -> None:
        super().__init__()
        if regions < 1:
            raise ValueError("a picture has one region at least, the whole of it")
        self.backbone = backbone
        self.detector = detector
        self.regions = regions
        self.channels, self.classes = backbone.channels, backbone.classes
        self.grid_size = (regions, 1)
        self.preprocessing = backbone.preprocessing

    def find(self, pixels: Tensor) -> list[Detections]:
        """(batch, 3, height, width) uint8 → the objects of each picture."""
        return [self.detector(picture, limit=self.regions - 1) for picture in pixels]

    def forward(self, pixels: Tensor) -> BackboneFeatures:
        """(batch, 3, height, width) uint8 → (batch, channels, regions, 1), pooled and boxes."""
        features: BackboneFeatures = self.backbone(pixels)
        boxes = self.place(pixels).to(features.grid.device)  # (batch, regions, 4)
        there = (boxes != 0).any(-1, keepdim=True)  # (batch, regions, 1)
        seen = pool_boxes(features.grid, boxes) * there  # (batch, regions, channels)
        return BackboneFeatures(grid=seen.mT[..., None], pooled=features.pooled, boxes=boxes)

    def place(self, pixels: Tensor) -> Tensor:
        """(batch, 3, height, width) uint8 → (batch, regions, 4): the whole, the objects, zeros."""
        return torch.stack([self._padded(found.boxes) for found in self.find(pixels)])

    def classify(self, pooled: Tensor) -> Tensor:
        """(batch, channels) → (batch, classes) logits of the backbone that is inside."""
        return self.backbone.classify(pooled)

    def save_architecture(self, folder: Path) -> None:
        """Write what building the backbone again needs."""
        self.backbone.save_architecture(folder)

    def get_extra_state(self) -> Tensor:
        """(32,) uint8: which detector this is and how many regions it gives.

        Part of the state, since other boxes are other features, though no weight differs.
        """
        made_by = hashlib.sha256(f"{self.detector.fingerprint} {self.regions}".encode())
        return torch.tensor(list(made_by.digest()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Refuse what was made with another detector.

        Raises:
            ModelError: that is the case.
        """
        if not torch.equal(state.cpu(), self.get_extra_state()):
            raise ModelError(
                "this model was trained with another object detector, or another number of "
                "regions, than those here; fetch it again with `polyglance download detector`"
            )

    def _padded(self, boxes: Tensor) -> Tensor:
        """(objects, 4) → (regions, 4): the whole picture, the objects, zeros."""
        every = torch.cat([torch.tensor([WHOLE]), boxes])
        return functional.pad(every, (0, 0, 0, self.regions - len(every)))
