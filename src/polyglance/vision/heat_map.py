"""A heat map over a picture, ready to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

COLOURS = "inferno"  # even steps of lightness, so that it can be read without seeing colours
OPACITY = (0.35, 0.65)  # of the colour laid over the coldest and over the hottest place
FAR_LEFT, FAR_RIGHT = 1 / 3, 2 / 3


class Point(NamedTuple):
    """A place in a picture, as shares of its width from the left and of its height from the top."""

    x: float
    y: float

    def __str__(self) -> str:
        """In words, such as ``top left``."""
        down = "top" if self.y < FAR_LEFT else "bottom" if self.y > FAR_RIGHT else ""
        across = "left" if self.x < FAR_LEFT else "right" if self.x > FAR_RIGHT else ""
        return " ".join(word for word in (down, across) if word) or "centre"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """Where in a picture a model sees what a text says.

    Attributes:
        values: (rows, columns) float32; they can be compared within one map only.
        visible: left, top, right and bottom of what the map covers, as shares of the picture's
            sides: models that cut a square out of the middle do not see the rest.
        score: of the whole picture with the text, as a search gives it.
        language: BCP-47 tag that reached the model; ``und`` where none was given.
    """

    values: NDArray[np.float32]
    visible: tuple[float, float, float, float]
    score: float
    language: str

    @property
    def peak(self) -> Point:
        """The middle of the hottest cell."""
        rows, columns = self.values.shape
        row, column = divmod(int(self.values.argmax()), columns)
        left, top, right, bottom = self.visible
        return Point(
            left + (right - left) * (column + 0.5) / columns,
            top + (bottom - top) * (row + 0.5) / rows,
        )

    def at_size(self, width: int, height: int) -> NDArray[np.float32]:
        """(height, width) from 0, coldest, to 1, hottest; 0 where the model saw nothing."""
        from PIL import Image

        cold, hot = float(self.values.min()), float(self.values.max())
        scaled = (self.values - cold) / max(hot - cold, 1e-12)  # (rows, columns)
        left, top, right, bottom = (
            round(share * side)
            for share, side in zip(self.visible, (width, height) * 2, strict=True)
        )
        small = Image.fromarray(scaled.astype(np.float32))
        size = max(right - left, 1), max(bottom - top, 1)
        large = np.asarray(small.resize(size, Image.Resampling.BICUBIC))
        whole = np.zeros((height, width), np.float32)
        whole[top : top + size[1], left : left + size[0]] = large.clip(0, 1)
        return whole

    def overlay(self, picture: Image.Image) -> Image.Image:
        """The picture with the map laid over it: bright where the text is, dark elsewhere."""
        from matplotlib import colormaps
        from PIL import Image

        heat = self.at_size(*picture.size)  # (height, width)
        colours = colormaps[COLOURS](heat)[..., :3].astype(np.float32) * 255
        least, most = OPACITY
        share = (least + (most - least) * heat)[..., None]  # (height, width, 1)
        grey = np.asarray(picture.convert("L").convert("RGB"), np.float32)
        mixed = grey * (1 - share) + colours * share  # (height, width, 3)
        return Image.fromarray(mixed.round().astype(np.uint8))
