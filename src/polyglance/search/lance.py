"""The one door to LanceDB."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from polyglance.errors import CollectionError
from polyglance.search.deferred_rest import import_lancedb
from polyglance.search.location import Location
from polyglance.search.store import Store, trouble_of

TABLES_FOLDER = "lance"
REBUILD = "delete the collection's folder and index again"
REPAIR_OR_REBUILD = f"try 'polyglance collection repair', else {REBUILD}"
# LanceDB's errors end in places of its own source.
SOURCE = re.compile(r",? /\S+\.rs:\d+:\d+")
COPY_AGAIN = "bring it there again with 'polyglance collection copy'"
RESUME = "what was written before is safe, and the same command goes on from there"


def connect(place: Location) -> Any:
    """Connect to the tables of the collection at ``place``.

    LanceDB writes notes on its inner workings to stderr, where they would stand between the
    messages that are meant for users; whoever wants them sets ``LANCEDB_LOG=warn``.
    """
    os.environ.setdefault("LANCEDB_LOG", "error")
    lancedb = import_lancedb()
    if isinstance(place, Store):
        return lancedb.connect(f"{place}/{TABLES_FOLDER}", storage_options=place.options())
    return lancedb.connect(str(place / TABLES_FOLDER))


@contextmanager
def reading(place: Location) -> Iterator[None]:
    """Tell that a collection is damaged, or out of reach, as a :class:`CollectionError`."""
    trouble = f"{place}: its tables are missing or damaged"
    if isinstance(place, Store):
        with _told_without_secrets(place, f"{trouble}; {COPY_AGAIN}"):
            yield
    else:
        with _told_plainly(trouble, REPAIR_OR_REBUILD):
            yield


@contextmanager
def writing(folder: Location) -> Iterator[None]:
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


@contextmanager
def _told_without_secrets(store: Store, otherwise: str) -> Iterator[None]:
    """LanceDB's errors may quote what a store said of our key; they are not passed on."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        told = trouble_of(error)
        raise CollectionError(f"{store}: {told}" if told else otherwise) from None
