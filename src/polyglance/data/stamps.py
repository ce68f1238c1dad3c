"""Telling whether a file is still the one that was read: by size and time, else by content."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from polyglance.data.tar_members import file_status, open_file

DIGITS = 32
"""Of a digest, in base 16: 128 bits tell files apart."""


class Look(NamedTuple):
    """What a file looks like.

    Attributes:
        stamp: see :func:`stamp`.
        digest: see :func:`digest`.
    """

    stamp: str
    digest: str | None


def look(path: Path | None) -> Look:
    """Stamp, then digest: a file that changes in between will not have this stamp any more."""
    return Look(stamp(path), digest(path))


def stamp(path: Path | None) -> str:
    """Size and time of a file: what changes when a picture changes, and looked up at once."""
    try:
        status = file_status(path) if path is not None else None
    except OSError:
        status = None
    return f"{status.size}-{status.mtime_ns}" if status is not None else "absent"


def same_size(one: str, other: str) -> bool:
    """Whether two stamps are of files of one size, so that they may have the same content."""
    return one.partition("-")[0] == other.partition("-")[0]


def digest(path: Path | None) -> str | None:
    """Over a file's content: what stays when a file is copied; ``None`` where it cannot be read."""
    if path is None:
        return None
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]
    except OSError:
        return None
