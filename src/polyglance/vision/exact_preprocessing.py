"""The pictures that a published model was trained on, to the pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polyglance.vision.preprocessing import Preprocessing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

LONGEST = 32
"""A picture longer than so many of its shorter sides loses its ends before it is resized."""


@dataclass(frozen=True, slots=True)
class ExactPreprocessing(Preprocessing):
    """Geometry as image processors of transformers have it over Pillow, rounding included.

    :class:`Preprocessing` itself takes short cuts, which are as good for whoever trains with them.
    For a model that was trained elsewhere nothing is decoded at a fraction, nothing reduced in two
    steps, and a square is cut out after resizing, at whole pixels.

    Attributes:
        shorter: for ``crop``: what the shorter side becomes before the square is cut out.
        resample: Pillow's number of the filter.
    """

    shorter: int = 224
    resample: int = 3

    def __call__(self, picture: Image.Image) -> NDArray[np.uint8]:
        """An RGB picture of any size → (3, size, size) uint8."""
        import numpy as np

        resized = self._squashed(picture) if self.fit == "squash" else self._cut(picture)
        pixels = np.asarray(resized, dtype=np.uint8)  # (size, size, 3)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))  # (3, size, size)

    @property
    def decode_size(self) -> int | None:
        """``None``: every pixel of a file counts."""
        return None

    def _squashed(self, picture: Image.Image) -> Image.Image:
        return picture.resize((self.size, self.size), self.resample)

    def _cut(self, picture: Image.Image) -> Image.Image:
        """Shorter side to ``shorter``, then the middle square."""
        picture = _without_ends(picture)
        least = min(picture.size)
        width, height = (int(self.shorter * side / least) for side in picture.size)
        resized = picture.resize((width, height), self.resample)
        left, top = (width - self.size) // 2, (height - self.size) // 2
        return resized.crop((left, top, left + self.size, top + self.size))


def _without_ends(picture: Image.Image) -> Image.Image:
    """The middle of a picture that is all length, which resized whole would fill the memory."""
    width, height = picture.size
    longest = LONGEST * min(width, height)
    if max(width, height) <= longest:
        return picture
    across, down = min(width, longest), min(height, longest)
    left, top = (width - across) // 2, (height - down) // 2
    return picture.crop((left, top, left + across, top + down))
