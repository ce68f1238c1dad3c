"""Word vectors in word2vec's binary form, which BiVec and gensim write too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from polyglance.errors import ConfigError
from polyglance.text.vector_files.mapped import MappedFile

SHORTEST_WORD = 2  # bytes of a word of one letter with the space behind it


def read_binary(path: Path, *, limit: int | None = None) -> tuple[list[str], Tensor]:
    r"""Read a line ``words dimension``, then of each word its name, a space, and its numbers.

    Numbers are little-endian float32. word2vec and BiVec put a line feed behind them, gensim and
    the published Google News vectors none; both are read.

    Args:
        path: words in UTF-8; bytes that are none become replacement characters.
        limit: read so many words only; the usual files begin with the most frequent.

    Returns:
        words, and their vectors (words, dimension) float32.

    Raises:
        ConfigError: the file is absent, has another first line, is shorter than it says, or holds
            numbers that are not finite.
    """
    file = MappedFile(path)
    try:
        count, dimension = map(int, file.until(b"\n").split())
    except ValueError:
        raise ConfigError(
            f"word vectors {path}: the first line should say how many words, and how many numbers "
            "a word"
        ) from None
    if count < 1 or dimension < 1 or count * (SHORTEST_WORD + 4 * dimension) > len(file):
        raise ConfigError(
            f"word vectors {path}: too short for the {count} words of {dimension} numbers that its "
            "first line promises; fetch it again"
        )
    words: list[str] = []
    vectors = np.empty((count if limit is None else min(count, limit), dimension), np.float32)
    for row in vectors:
        words.append(file.until(b" ").lstrip(b"\n").decode("utf-8", "replace"))
        row[:] = file.floats(dimension)
    if not np.isfinite(vectors).all():
        word = words[int(np.isfinite(vectors).all(axis=1).argmin())]
        raise ConfigError(f"word vectors {path}: {word!r} has numbers that are not finite")
    return words, torch.from_numpy(vectors)
