"""Several views of one picture: itself, and crops of it, so that few pictures teach more.

Random crops and mirroring are how image networks are trained (Szegedy et al., "Going deeper with
convolutions", CVPR 2015, section 6). With a frozen backbone they would forbid computing features
once; so a picture has a fixed number of views, each computed once, and epochs take turns.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polyglance.data.ahead import decode, decode_video
from polyglance.data.record import Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from polyglance.vision.preprocessing import Preprocessing

AREA = (0.5, 1.0)  # of a crop, as a share of the picture's
ASPECT = (3 / 4, 4 / 3)  # of a crop, times the picture's own


@dataclass(frozen=True, slots=True)
class View:
    """One view of a picture.

    Attributes:
        record: the picture.
        number: 0 for the picture as it is; each other number is another crop, half of them
            mirrored. Which crop depends on the picture's id and the number alone.
    """

    record: Record
    number: int = 0

    @property
    def key(self) -> str:
        """Under which its features are stored: that of the picture, and the number of a crop."""
        whole = feature_key(self.record)
        return f"{whole}#{self.number}" if self.number else whole

    def frame(self, picture: Image) -> Image:
        """A decoded picture → what this view shows of it."""
        if not self.number:
            return picture
        import numpy as np
        from PIL import Image as Pillow

        digest = hashlib.sha256(f"{self.record.id}#{self.number}".encode()).digest()
        random = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        width, height = picture.size
        area = random.uniform(*AREA)
        aspect = math.exp(random.uniform(math.log(ASPECT[0]), math.log(ASPECT[1])))
        across = max(1, round(width * min(1.0, math.sqrt(area * aspect))))
        down = max(1, round(height * min(1.0, math.sqrt(area / aspect))))
        left, top = (int(random.integers(0, size + 1)) for size in (width - across, height - down))
        crop = picture.crop((left, top, left + across, top + down))
        if random.random() < 0.5:
            crop = crop.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT)
        return crop

    def decode(self, preprocessing: Preprocessing) -> NDArray[np.uint8]:
        """Its pixels, uint8: (3, size, size), or (frames, 3, size, size) where a system sees more.

        Raises:
            PictureError: the file cannot be decoded, or the record has neither picture nor video.
        """
        frame = self.frame if self.number else None
        if self.record.image is None and self.record.video is not None:
            return decode_video(self.record.video, preprocessing, frame=frame)
        return decode(self.record.image, preprocessing, frame=frame)


def view_number(picture: int, epoch: int, views: int) -> int:
    """Which view an epoch shows of a picture: all of them in turn, beginning at different ones."""
    return (picture + epoch) % views


def feature_key(record: Record) -> str:
    """Under which a record's features are stored: the row that it names, else its file's path.

    By path, one store serves every dataset that a backbone has seen.
    """
    if record.features is not None:
        return record.features
    return str(record.file) if record.file is not None else record.id
