"""Word vectors in text form, as word2vec, fastText, GloVe, MUSE and BiVec write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from polyglance.errors import ConfigError
from polyglance.text.vector_files.mapped import unreadable


def read_text(path: Path, *, limit: int | None = None) -> tuple[list[str], Tensor]:
    """Read one word a line: the word, then its numbers, with single spaces between.

    A first line of two whole numbers (words, dimension) is optional, as GloVe has none; it is not
    relied upon. A word may contain spaces, since the numbers are counted from the end.

    Args:
        path: UTF-8; bytes that are none become replacement characters.
        limit: read so many words only; the usual files begin with the most frequent.

    Returns:
        words, and their vectors (words, dimension) float32.

    Raises:
        ConfigError: the file is absent, empty, or a line is not as long as the first; the message
            names the line.
    """
    words: list[str] = []
    rows: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    dimension = 0
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                fields = line.rstrip().split(" ")
                if number == 1 and len(fields) == 2 and all(map(str.isdecimal, fields)):
                    dimension = int(fields[1])
                    continue
                dimension = dimension or len(fields) - 1
                words.append(" ".join(fields[:-dimension]))
                rows.append(_numbers(fields[-dimension:], dimension, f"{path}:{number}"))
                if len(rows) == limit:
                    break
    except OSError as error:
        raise unreadable(path, error) from None
    if not rows:
        raise ConfigError(f"word vectors {path}: the file holds none")
    return words, torch.from_numpy(np.stack(rows))


def _numbers(
    fields: list[str], dimension: int, where: str
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    try:
        row = np.array(fields, dtype=np.float32)
    except ValueError:
        row = np.empty(0, np.float32)
    if dimension < 1 or len(row) != dimension or not np.isfinite(row).all():
        raise ConfigError(
            f"{where}: a word and {max(dimension, 1)} numbers were expected; give the vectors in "
            "text form (.vec, .txt), unpacked"
        )
    return row
