"""What a collection holds, who filled it, and how it is searched."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import NamedTuple

from polyglance.search.collection import FILE_COLUMNS, FIRST_OF_A_FILE, Collection, file_of
from polyglance.search.lance import reading
from polyglance.search.location import Location
from polyglance.search.store import Store
from polyglance.search.vector_index import EXACT_UP_TO, rows_beside_index, rows_of_index

HERE = "."


class IndexState(NamedTuple):
    """How a query is answered.

    Attributes:
        approximate: by the vector index, and not by comparing every row.
        built_on: rows that the index was laid out for, if there is one.
        beside: rows that are not in it yet, and are compared one by one.
    """

    approximate: bool
    built_on: int | None
    beside: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """A collection in numbers.

    Attributes:
        pictures: how many.
        videos: how many.
        rows: embeddings: one a picture, and one a frame of a video.
        skipped: files that could not be read.
        folders: folder just below the root → files in it and below, most first; ``.`` is the
            root itself, and files that lie elsewhere stand under their own folder.
        first: EXIF date of the oldest picture, in its camera's local time, if any has one.
        last: of the newest.
        located: pictures that say where they were taken.
        index: how queries are answered.
        size: of everything in the collection's folder, or below its place on a store, in bytes.
    """

    pictures: int
    videos: int
    rows: int
    skipped: int
    folders: dict[str, int]
    first: datetime | None
    last: datetime | None
    located: int
    index: IndexState
    size: int


def take_inventory(collection: Collection) -> Inventory:
    """Count what is in a collection.

    Raises:
        CollectionError: the collection is damaged.
    """
    counts, folders = Counter[bool](), Counter[str]()
    first: datetime | None = None
    last: datetime | None = None
    for batch in collection.batches([*FILE_COLUMNS, "taken"], where=FIRST_OF_A_FILE):
        for row in batch.to_pylist():
            file = file_of(row)
            counts[file.is_video] += 1
            folders[_folder(row["path"])] += 1
            if (taken := row["taken"]) is not None:
                first = taken if first is None else min(first, taken)
                last = taken if last is None else max(last, taken)
    return Inventory(
        pictures=counts[False],
        videos=counts[True],
        rows=len(collection),
        skipped=len(collection.skip_reasons()),
        folders=dict(sorted(folders.items(), key=lambda item: (-item[1], item[0]))),
        first=first,
        last=last,
        located=_located(collection),
        index=index_state(collection),
        size=_size(collection.folder),
    )


def _folder(path: str) -> str:
    place = PurePosixPath(path)
    if place.is_absolute():
        return str(place.parent)
    return place.parts[0] if len(place.parts) > 1 else HERE


def index_state(collection: Collection) -> IndexState:
    """How queries of a collection are answered."""
    built_on = rows_of_index(collection.pictures)
    approximate = built_on is not None and len(collection) > EXACT_UP_TO
    return IndexState(approximate, built_on, rows_beside_index(collection.pictures) or 0)


def _located(collection: Collection) -> int:
    with reading(collection.folder):
        return int(collection.pictures.count_rows(f"{FIRST_OF_A_FILE} AND latitude IS NOT NULL"))


def _size(folder: Location) -> int:
    if isinstance(folder, Store):
        return sum(folder.files().values())
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except FileNotFoundError:  # a writer tidies up
            continue
    return total
