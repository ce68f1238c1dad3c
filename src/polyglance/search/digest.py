"""What tells that two files hold the same bytes, whatever they are called."""

from __future__ import annotations

import hashlib
from pathlib import Path

from polyglance.data.tar_members import open_file


def digest(data: bytes = b"") -> hashlib.blake2b:
    """BLAKE2b of 128 bits, begun with ``data``."""
    return hashlib.blake2b(data, digest_size=16)


def digest_of_file(path: Path) -> str:
    """Hex digest of a file, as the column ``content`` has it, read piece by piece.

    Raises:
        OSError: the file cannot be read.
    """
    with open_file(path) as handle:
        return hashlib.file_digest(handle, digest).hexdigest()
