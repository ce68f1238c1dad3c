"""Pictures to search by: decoded a few at a time, however many ask, and each one once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from polyglance.search.digest import digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyglance.search.encoder import Encoder

MAX_QUERY_PIXELS = 120_000_000
KEPT = 256  # embeddings, a few kB each


class QueryPictures:
    """Embeds pictures for several threads.

    What is sent is asked with again, page by page and hit by hit: the embeddings of the latest are
    kept. A path is read each time, as its file may change.

    Args:
        encoder: the model.
        encoding: held while the encoder works, as by all who use it.
        decoding: held while a picture is decoded, as by all who do.
    """

    def __init__(
        self, encoder: Encoder, *, encoding: threading.Lock, decoding: threading.BoundedSemaphore
    ) -> None:
        self.encoder = encoder
        self._encoding = encoding
        self._decoding = decoding
        self._kept: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._keeping = threading.Lock()

    def embed(self, image: Path | bytes) -> NDArray[np.float32]:
        """(dimension,) of unit length.

        Raises:
            PictureError: it cannot be read.
        """
        if isinstance(image, Path):
            return self._embed(image)
        key = digest(image).digest()
        with self._keeping:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        embedding = self._embed(image)
        with self._keeping:
            self._kept[key] = embedding
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return embedding

    def _embed(self, image: Path | bytes) -> NDArray[np.float32]:
        from polyglance.data.decode import open_picture

        fit = self.encoder.preprocessing
        with self._decoding:
            pixels = fit(
                open_picture(image, target_size=fit.decode_size, max_pixels=MAX_QUERY_PIXELS)
            )  # (3, size, size)
        with self._encoding:
            embedding: NDArray[np.float32] = self.encoder.encode_pixels(pixels[np.newaxis])[0]
        return embedding
