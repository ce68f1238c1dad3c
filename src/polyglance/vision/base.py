"""The contract of every image backbone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from polyglance.vision.preprocessing import Preprocessing


class BackboneFeatures(NamedTuple):
    """A picture as a grid of cells and as one vector.

    Attributes:
        grid: (batch, channels, rows, columns).
        pooled: (batch, channels), the backbone's own global feature.
        boxes: (batch, rows · columns, 4) where the cells are, left, top, right, bottom as shares
            of the picture's sides; a box without area is padding. ``None`` where the grid divides
            the picture evenly.
    """

    grid: Tensor
    pooled: Tensor
    boxes: Tensor | None = None


class Backbone(nn.Module, ABC):
    """Pixels in, :class:`BackboneFeatures` out.

    Pixels are uint8 RGB (batch, 3, height, width) as :class:`Preprocessing` leaves them; the
    backbone normalises them itself, so that bytes travel and not floats.

    Attributes:
        channels: of the grid and of the pooled vector.
        grid_size: (rows, columns) at ``preprocessing.size``.
        preprocessing: geometry of the pixels: identical in training, indexing and serving.
        any_size: whether it takes pictures of other sizes than it was made for.
        pools_by_mean: whether the pooled vector is the mean of the grid's cells.
        finds_boxes: whether its cells are none of a regular grid, but come with boxes.
        classes: of the classifier behind :meth:`classify`; ``None`` without one.
    """

    channels: int
    grid_size: tuple[int, int]
    preprocessing: Preprocessing
    any_size: ClassVar[bool] = False
    pools_by_mean: bool = False
    finds_boxes: ClassVar[bool] = False
    classes: int | None = None

    @abstractmethod
    def forward(self, pixels: Tensor) -> BackboneFeatures:
        """(batch, 3, height, width) uint8 → grid (batch, channels, rows, columns) and pooled."""

    def classify(self, pooled: Tensor) -> Tensor:  # noqa: ARG002
        """(batch, channels) → (batch, classes) logits of the pretraining task.

        Raises:
            ModelError: the backbone has no classifier.
        """
        from polyglance.errors import ModelError

        raise ModelError(f"{type(self).__name__} has no classifier over its pretraining classes")

    def save_architecture(self, folder: Path) -> None:
        """Write what building it again needs into a checkpoint's folder, if anything."""
