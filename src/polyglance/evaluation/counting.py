"""How many scores of a tile reach a threshold, row by row or column by column.

Counting is what ranks cost beside the scores themselves, and memory is what counting costs: a
comparison leaves a byte for every score, and eight bytes are added up at once as one number, which
none of them overflows as long as no more than 255 are added.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polyglance.slices import slices

LANES = 8  # bytes that are added up at once
MOST_ADDED = 255  # ones that a byte holds

Tile = NDArray[np.float32]
Counts = NDArray[np.int64]


def reaching_by_row(tile: Tile, thresholds: NDArray[np.float32]) -> Counts:
    """How many scores of each row are at least as high as each of its thresholds.

    Args:
        tile: (rows, columns).
        thresholds: (places, rows).

    Returns:
        (places, rows)
    """
    words = _compared(tile[:, None], thresholds.T[:, :, None])  # (rows, places, words)
    counts = np.zeros(words.shape[:2], dtype=np.int64)
    for some in slices(words.shape[2], MOST_ADDED):
        lanes = np.add.reduce(words[:, :, some], axis=2, keepdims=True)  # (rows, places, 1)
        counts += lanes.view(np.uint8).sum(axis=2, dtype=np.int64)
    return counts.T


def reaching_by_column(tile: Tile, thresholds: NDArray[np.float32]) -> Counts:
    """How many scores of each column are at least as high as each of its thresholds.

    Args:
        tile: (rows, columns).
        thresholds: (places, columns).

    Returns:
        (places, columns)
    """
    words = _compared(tile, thresholds[:, None])  # (places, rows, words)
    counts = np.zeros((len(words), words.shape[2] * LANES), dtype=np.int64)
    for some in slices(words.shape[1], MOST_ADDED):
        counts += np.add.reduce(words[:, some], axis=1).view(np.uint8)
    return counts[:, : tile.shape[1]]


def _compared(scores: NDArray[np.float32], thresholds: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Both spread over one another, (…, columns) → (…, words): a byte for a score.

    The bytes that fill the last word of a row are zero.
    """
    *rows, columns = np.broadcast(scores, thresholds).shape
    reached = np.empty((*rows, -(-columns // LANES) * LANES), dtype=np.bool_)
    reached[..., columns:] = False
    np.greater_equal(scores, thresholds, out=reached[..., :columns])
    return reached.view(np.uint64)
