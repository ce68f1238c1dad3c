"""From a decoded picture to the pixels that a backbone sees: one place, used everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Geometry only; colours are normalised inside the backbone.

    Attributes:
        size: side of the square result, in pixels.
        fit: ``crop`` keeps the aspect ratio and cuts the middle square out; ``squash`` keeps the
            whole picture and bends its aspect ratio.
        crop_fraction: for ``crop``: the result is this share of the shorter side.
        frames: that a system sees of a video. With one, it sees what is shown half-way through.
    """

    size: int = 224
    fit: Literal["crop", "squash"] = "squash"
    crop_fraction: float = 1.0
    frames: int = field(default=1, repr=False)  # features of a picture are found by the repr

    def __call__(self, picture: Image.Image) -> NDArray[np.uint8]:
        """An RGB picture of any size → (3, size, size) uint8."""
        import numpy as np
        from PIL import Image as Pillow

        resized = picture.resize(
            (self.size, self.size),
            Pillow.Resampling.BICUBIC,
            box=self.visible(*picture.size),
            reducing_gap=3.0,
        )
        pixels = np.asarray(resized, dtype=np.uint8)  # (size, size, 3)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))  # (3, size, size)

    def clip(self, pictures: Iterable[Image.Image]) -> NDArray[np.uint8]:
        """What a system is given of a picture, or of the frames of a video.

        Args:
            pictures: RGB; one, or at most ``frames`` of a video, taken one by one.

        Returns:
            (3, size, size) uint8, or (frames, 3, size, size) where a system sees several; places
            without a frame are black throughout.
        """
        import numpy as np

        if self.frames == 1:
            return self(next(iter(pictures)))
        pixels = np.zeros((self.frames, 3, self.size, self.size), np.uint8)
        for place, picture in enumerate(pictures):
            pixels[place] = self(picture)
        return pixels

    @property
    def decode_size(self) -> int | None:
        """The size in pixels for which a file may be decoded at a fraction of its own.

        ``None`` where every pixel of the file counts.
        """
        return self.size

    def visible(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom, in pixels, of what is seen of a picture of that size."""
        if self.fit == "squash":
            return (0, 0, width, height)
        side = min(width, height) * self.crop_fraction
        left, top = (width - side) / 2, (height - side) / 2
        return (left, top, left + side, top + side)
