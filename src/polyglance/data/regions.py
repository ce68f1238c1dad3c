"""The regions of one picture, or the frames of one video, as their features come in files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Regions:
    """Features of a picture that were computed elsewhere, and where in the picture they are.

    Attributes:
        image_id: what the file calls the picture.
        features: (regions, channels), or (channels,): one vector for the whole picture.
        width: of the picture, in the unit of the boxes: pixels, or 1 where boxes are relative.
        height: likewise.
        boxes: (regions, 4) left, top, right, bottom; ``None`` where the file has none.
        probabilities: (regions, classes) of the detector, or ``None``.
        in_time: whether the rows are frames of a video in order: too many are thinned out evenly,
            where of too many regions the first are kept.
    """

    image_id: str
    features: NDArray[Any]
    width: float = 1.0
    height: float = 1.0
    boxes: NDArray[Any] | None = None
    probabilities: NDArray[Any] | None = None
    in_time: bool = False

    def first(self, array: NDArray[Any], count: int) -> NDArray[Any]:
        """At most ``count`` rows of an array that has a row a region, or a frame."""
        import numpy as np

        if not self.in_time or len(array) <= count:
            return array[:count]
        middles = (np.arange(count) + 0.5) * len(array) / count
        kept: NDArray[Any] = array[middles.astype(np.intp)]  # (count, …)
        return kept

    @property
    def relative_boxes(self) -> NDArray[Any] | None:
        """(regions, 4) float32, left and right in widths of the picture, the others in heights."""
        import numpy as np

        if self.boxes is None:
            return None
        size = np.array([self.width, self.height] * 2, np.float32)
        return np.asarray(self.boxes, np.float32) / size  # (regions, 4)
