"""Small, safe copies of pictures for the browser: decoded here, never passed through."""

from __future__ import annotations

import threading
from collections import OrderedDict
from io import BytesIO
from pathlib import Path

from polyglance.data.video import open_shown

JPEG_QUALITY = 82

Key = tuple[str, float | None, int]


class Thumbnails:
    """Makes JPEGs of bounded size, without metadata, and keeps the latest ones in memory.

    What reaches the browser was decoded and encoded again, so neither active content nor EXIF
    positions do, and formats that browsers cannot show are shown.

    Args:
        decoding: held while a picture is decoded.
        cache_bytes: memory for finished thumbnails.
    """

    def __init__(
        self, *, decoding: threading.BoundedSemaphore, cache_bytes: int = 64 << 20
    ) -> None:
        self.cache_bytes = cache_bytes
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        self._decoding = decoding

    def jpeg(self, path: Path, *, content: str, side: int, moment: float | None = None) -> bytes:
        """The picture at ``path`` within ``side`` × ``side`` pixels.

        Args:
            path: of the picture or video.
            content: digest of its bytes, part of the key in memory.
            side: longest side in pixels; smaller pictures are not enlarged.
            moment: of the frame of a video, in seconds; ``None`` for a picture.

        Raises:
            PictureError: the file is gone or cannot be read.
        """
        key = (content, moment, side)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        with self._decoding:
            made = _jpeg(path, side, moment)
        with self._lock:
            self._keep(key, made)
        return made

    def _keep(self, key: Key, made: bytes) -> None:
        if key in self._kept:
            return
        self._kept[key] = made
        self._size += len(made)
        while self._size > self.cache_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest)


def _jpeg(path: Path, side: int, moment: float | None) -> bytes:
    picture = open_shown(path, moment=moment, target_size=side)
    picture.thumbnail((side, side), reducing_gap=2.0)
    output = BytesIO()
    picture.save(output, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return output.getvalue()
