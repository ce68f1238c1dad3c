"""Where a collection lies: in a folder of this machine, or on an S3-compatible store.

What writes needs a folder, whose lock the operating system holds. A store has a copy, which
:mod:`polyglance.search.publishing` brings there and which is only read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from polyglance.errors import CollectionError
from polyglance.search.store import SCHEME, Store

Location: TypeAlias = Path | Store


def location_of(text: str | Path | Store) -> Location:
    """The place that a user means: ``s3://BUCKET/PATH``, or a folder.

    Raises:
        CollectionError: a bucket or a path within it is not given.
    """
    if isinstance(text, str) and text.startswith(SCHEME):
        return Store.of(text)
    return text if isinstance(text, Store) else Path(text)


def folder_of(text: str | Path | Store) -> Path:
    """Likewise, where only a folder will do.

    Raises:
        CollectionError: it lies on a store.
    """
    if isinstance(text, Store) or str(text).startswith(SCHEME):
        raise CollectionError(
            f"{text}: collections on a store are only read; write into a folder, and bring it "
            f"there with 'polyglance collection copy FOLDER {text}'"
        )
    return Path(text)


def read_file(place: Location, name: str) -> bytes:
    """The content of a file beside the tables.

    Raises:
        OSError: a folder does not have it, or it cannot be read.
        FileNotFoundError: a store does not have it.
        CollectionError: the store cannot be read.
    """
    return place.read(name) if isinstance(place, Store) else (place / name).read_bytes()
