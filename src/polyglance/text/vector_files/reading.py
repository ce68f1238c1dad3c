"""Which format a file of word vectors is in."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from torch import Tensor

from polyglance.errors import ConfigError
from polyglance.text.subwords import Subwords
from polyglance.text.vector_files.binary import read_binary
from polyglance.text.vector_files.fasttext import MAGIC, read_fasttext
from polyglance.text.vector_files.mapped import unreadable
from polyglance.text.vector_files.text_form import read_text

_LOOKED_AT = 4096  # bytes from the beginning
_MAGIC = struct.pack("<i", MAGIC)
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_COUNTS = re.compile(rb"\d+[ \t]+\d+\s*?\n")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


def read_vectors(path: Path, *, limit: int | None = None) -> tuple[list[str], Tensor]:
    """Read the words of a file in any of the formats.

    Args:
        path: text, word2vec's binary form or a fastText model; found out by content.
        limit: read so many words only; the usual files begin with the most frequent.

    Returns:
        words, and their vectors (words, dimension) float32.

    Raises:
        ConfigError: the file is absent, empty, packed or damaged; see the formats' readers.
    """
    beginning = _beginning(path)
    if beginning.startswith(_MAGIC):
        words, vectors, _ = read_fasttext(path, limit=limit)
        return words, vectors
    if _is_binary(beginning):
        return read_binary(path, limit=limit)
    return read_text(path, limit=limit)


def read_subwords(path: Path) -> Subwords | None:
    """The n-grams of a fastText model; None where the file has none.

    Raises:
        ConfigError: the file is absent or damaged.
    """
    if not _beginning(path).startswith(_MAGIC):
        return None
    return read_fasttext(path, limit=0).subwords


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            beginning = file.read(_LOOKED_AT)
    except OSError as error:
        raise unreadable(path, error) from None
    if beginning.startswith(_PACKED):
        raise ConfigError(f"word vectors {path}: the file is packed; unpack it first")
    return beginning


def _is_binary(beginning: bytes) -> bool:
    """After the line of counts come numbers, and among their bytes control characters."""
    counts = _COUNTS.match(beginning)
    return counts is not None and _CONTROL.search(beginning, counts.end()) is not None
