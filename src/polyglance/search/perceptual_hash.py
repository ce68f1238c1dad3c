"""What a picture looks like in the coarse, in 64 bits: copies differ in few of them.

An embedding says what a picture shows, and the shots of a burst all show the same; this says where
the light and the dark parts are, and asks no model.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

SIDE = 32  # pixels that the picture is reduced to
FREQUENCIES = 8  # along each side, from the first on: the mean brightness is left out
BYTES = FREQUENCIES**2 // 8


def perceptual_hash(picture: Image.Image) -> NDArray[np.uint8]:
    """Which of the low frequencies are above their median: the DCT hash.

    C. Zauner, "Implementation and benchmarking of perceptual image hash functions" (2010), on the
    hash of the library pHash; the frequencies are those of the DCT-II of N. Ahmed, T. Natarajan
    and K. R. Rao, "Discrete cosine transform" (1974). We deviate in how 32 × 32 pixels are made:
    each is the mean of those that it covers, with no filter before.

    Args:
        picture: upright, of any size.

    Returns:
        (8,) bytes: 64 bits, row after row of the lowest vertical frequency first.
    """
    from PIL import Image as PillowImage

    small = picture.convert("L").resize((SIDE, SIDE), PillowImage.Resampling.BOX)
    basis = _basis()
    frequencies = basis @ np.asarray(small, dtype=np.float64) @ basis.T  # (8, 8)
    return np.packbits(frequencies > np.median(frequencies))


def distances(one: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.int64]:
    """In how many bits hashes differ: (..., 8) and (..., 8) → (...), 0 to 64."""
    differing: NDArray[np.int64] = np.bitwise_count(one ^ others).sum(axis=-1, dtype=np.int64)
    return differing


@cache
def _basis() -> NDArray[np.float64]:
    """(8, 32): cos((2 n + 1) k π / 2 N) for k = 1 … 8, scaled to unit rows."""
    k = np.arange(1, FREQUENCIES + 1)[:, None]
    n = np.arange(SIDE)[None]
    basis: NDArray[np.float64] = np.cos((2 * n + 1) * k * np.pi / (2 * SIDE)) * (2 / SIDE) ** 0.5
    return basis
