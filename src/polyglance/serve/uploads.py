"""Pictures that were sent to search by: kept for a while, so that an address can name them."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from io import BytesIO
from typing import NamedTuple

from polyglance.data.decode import open_picture
from polyglance.errors import QueryError
from polyglance.search.query_pictures import MAX_QUERY_PIXELS
from polyglance.serve.thumbnails import JPEG_QUALITY

SIDE = 240  # of what the page shows of one


class Upload(NamedTuple):
    """The file as it came, its name, and a small JPEG of it."""

    name: str
    content: bytes
    thumbnail: bytes


class Uploads:
    """Keeps the latest pictures in memory; nobody can name one without having its content.

    Args:
        decoding: held while a picture is decoded.
        bytes_kept: of files together; the latest one is always kept.
    """

    def __init__(self, *, decoding: threading.BoundedSemaphore, bytes_kept: int = 64 << 20) -> None:
        self.bytes_kept = bytes_kept
        self._decoding = decoding
        self._kept: OrderedDict[str, Upload] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, name: str, content: bytes) -> str:
        """The token under which a picture can be had again.

        Raises:
            PictureError: it is no picture that can be read.
        """
        with self._decoding:
            picture = open_picture(content, target_size=SIDE, max_pixels=MAX_QUERY_PIXELS)
            picture.thumbnail((SIDE, SIDE), reducing_gap=2.0)
        output = BytesIO()
        picture.save(output, "JPEG", quality=JPEG_QUALITY)
        token = hashlib.sha256(content).hexdigest()[:32]
        with self._lock:
            self._kept[token] = Upload(name, content, output.getvalue())
            self._kept.move_to_end(token)
            while len(self._kept) > 1 and self._size() > self.bytes_kept:
                self._kept.popitem(last=False)
        return token

    def __contains__(self, token: str) -> bool:
        """Whether a picture is still kept."""
        with self._lock:
            return token in self._kept

    def __getitem__(self, token: str) -> Upload:
        """What was sent.

        Raises:
            QueryError: it is no longer kept.
        """
        with self._lock:
            if token not in self._kept:
                raise QueryError("your picture is no longer kept here; choose it again")
            self._kept.move_to_end(token)
            return self._kept[token]

    def _size(self) -> int:
        return sum(len(each.content) for each in self._kept.values())
