"""Takes the preview out of a RAW photo. Run as a program; see the module ``convert`` beside it.

Every camera puts a finished JPEG beside the sensor's data, which is what its screen shows; LibRaw
finds the largest. It carries orientation and date on. Where there is none, LibRaw develops the
photo itself, at half its size.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING

from polyglance.data.outside.child import Refused, run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEMORY = 4 << 30
HEADER = 4096  # bytes, in which LibRaw's own EXIF block lies

_NO_DATE = re.compile(rb"19(?:69:12:31|70:01:01) \d\d:\d\d:\d\d")  # in any time zone


def preview(data: bytes) -> bytes:
    """The preview of a photo, as JPEG or PPM.

    Raises:
        Refused: it is damaged, or of a camera that LibRaw does not know.
    """
    import rawpy

    try:
        with rawpy.imread(BytesIO(data)) as photo:
            try:
                found = photo.extract_thumb()
            except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
                return _ppm(photo.postprocess(half_size=True, use_camera_wb=True))
    except rawpy.LibRawError as error:
        raise Refused(f"cannot be decoded: {_words(error)}") from None
    return _dated(found.data) if isinstance(found.data, bytes) else _ppm(found.data)


def _dated(jpeg: bytes) -> bytes:
    """Without the date that LibRaw gives a photo that has none: the beginning of Unix time."""
    return _NO_DATE.sub(b"0000:00:00 00:00:00", jpeg[:HEADER]) + jpeg[HEADER:]


def _words(error: Exception) -> str:
    """LibRaw's own words, which rawpy hands on as bytes."""
    said = error.args[0] if error.args else type(error).__name__
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _ppm(pixels: NDArray[np.uint8]) -> bytes:
    """(height, width, 3) as a file."""
    height, width, _ = pixels.shape
    return b"P6 %d %d 255\n" % (width, height) + pixels.tobytes()


if __name__ == "__main__":
    run(preview, memory=MEMORY)
