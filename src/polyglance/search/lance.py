"""The one door to LanceDB."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from polyglance.errors import CollectionError

TABLES_FOLDER = "lance"
REBUILD = "delete the collection's folder and index again"
REPAIR_OR_REBUILD = f"try 'polyglance collection repair', else {REBUILD}"
# LanceDB's errors end in places of its own source.
SOURCE = re.compile(r",? /\S+\.rs:\d+:\d+")
RESUME = "what was written before is safe, and the same command goes on from there"


def connect(folder: Path) -> Any:
    """Connect to the tables of the collection at ``folder``.

    LanceDB writes notes on its inner workings to stderr, where they would stand between the
    messages that are meant for users; whoever wants them sets ``LANCEDB_LOG=warn``.
    """
    os.environ.setdefault("LANCEDB_LOG", "error")
    import lancedb

    return lancedb.connect(str(folder / TABLES_FOLDER))


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Tell that a collection is damaged as a :class:`CollectionError`."""
    with _told_plainly(f"{folder}: its tables are missing or damaged", REPAIR_OR_REBUILD):
        yield


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Tell that a disk is full or gone as a :class:`CollectionError`."""
    with _told_plainly(f"{folder}: cannot be written", RESUME):
        yield


@contextmanager
def _told_plainly(trouble: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:  # all that LanceDB and Arrow raise
        reason = SOURCE.sub("", str(error).splitlines()[0])
        raise CollectionError(f"{trouble} ({reason}); {remedy}") from error
