"""What a collection stores of each picture, or frame, and how its tables look. Never the pixels."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from polyglance.data.place import Place
from polyglance.search.caption_words import words_of_captions

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

INFO_FILE = "collection.json"
SHARDS = "shards"  # what workers of a cluster finished, until the writer has it
PICTURES = "pictures"
SKIPPED = "skipped"
PLACE_COLUMNS = ("latitude", "longitude")
# What the column ``shown`` has of a row; none of them ever changes without the others.
SHOWN_COLUMNS = (
    "id",
    "path",
    "path_bytes",
    "content",
    "width",
    "height",
    "taken",
    "file",
    "moment",
)

Captions = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One row of the table ``pictures``: a picture, or a frame of a video.

    Attributes:
        path: relative to the collection's root with forward slashes, or absolute where the picture
            lies outside; bytes that are not UTF-8 are surrogate escapes, as in :mod:`os`.
        content: hex digest of the file's bytes.
        size: of the file, in bytes.
        mtime_ns: of the file, in nanoseconds.
        width: in pixels, as one looks at it: EXIF orientation applied.
        height: in pixels, likewise.
        taken: EXIF date, in the camera's local time.
        captions: language tag → captions, where the pictures came from a manifest.
        embedding: (dimension,) float32, of unit length.
        moment: of a frame of a video, in seconds from its start; ``None`` for a picture.
        frame: number of the frame among the video's rows; 0 for a picture.
        place: where it was taken, as EXIF says.
        located: whether the file was asked for that.
    """

    path: str
    content: str
    size: int
    mtime_ns: int
    width: int
    height: int
    taken: datetime | None
    captions: Captions | None
    embedding: NDArray[np.float32]
    moment: float | None = None
    frame: int = 0
    place: Place | None = None
    located: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """One row of the table ``skipped``: a file that could not be read, and why."""

    path: str
    size: int
    mtime_ns: int
    reason: str


def picture_id(path: str, frame: int = 0) -> str:
    """The key of a row: 16 hex digits that its path decides, and the number of a video's frame.

    The first row of a video has the id that a picture of that path would have, which is also the
    file's in the column ``file``. 64 bits: among a million rows two collide with a probability of
    3e-8.
    """
    name = os.fsencode(path) + (b"\0%d" % frame if frame else b"")  # no path holds a NUL
    return hashlib.blake2b(name, digest_size=8).hexdigest()


def readable(path: str) -> str:
    r"""``path`` as valid Unicode: bytes that are not UTF-8 become ``\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def captions_json(captions: Captions | None) -> str | None:
    """Captions as the one string that a column holds."""
    if not captions:
        return None
    lists = {language: list(texts) for language, texts in captions.items()}
    return json.dumps(lists, ensure_ascii=False, sort_keys=True)


def pictures_schema(dimension: int) -> pa.Schema:
    """Columns of the table ``pictures``; ``path_bytes`` only where ``path`` is not UTF-8.

    ``words`` are those of the captions, once a file: in a picture's row, or a video's first.
    ``located`` tells a picture without a place from one whose file was never asked for it.
    ``shown`` has in one place what is told of a hit, for large collections, where every column
    more takes as long again to be read of rows that lie far apart; see :func:`shown`.
    """
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("path", pa.string(), nullable=False),
            pa.field("path_bytes", pa.binary()),
            pa.field("content", pa.string(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),
            pa.field("mtime_ns", pa.int64(), nullable=False),
            pa.field("width", pa.int32(), nullable=False),
            pa.field("height", pa.int32(), nullable=False),
            pa.field("taken", pa.timestamp("s")),
            pa.field("captions", pa.string()),
            pa.field("embedding", pa.list_(pa.float32(), dimension), nullable=False),
            pa.field("file", pa.string(), nullable=False),
            pa.field("moment", pa.float64()),
            pa.field("words", pa.string()),
            *_place_fields(),
            pa.field("shown", pa.string(), nullable=False),
        ]
    )


def _place_fields() -> list[pa.Field]:
    import pyarrow as pa

    return [
        pa.field("latitude", pa.float64()),
        pa.field("longitude", pa.float64()),
        pa.field("located", pa.bool_(), nullable=False),
    ]


def skipped_schema() -> pa.Schema:
    """Columns of the table ``skipped``."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("path", pa.string(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),
            pa.field("mtime_ns", pa.int64(), nullable=False),
            pa.field("reason", pa.string(), nullable=False),
        ]
    )


def pictures_table(rows: Sequence[Stored], dimension: int) -> pa.Table:
    """Rows as Arrow, ready to be written in one transaction."""
    import numpy as np
    import pyarrow as pa

    matrix = np.stack([row.embedding for row in rows]).astype(np.float32)  # (rows, dimension)
    columns: dict[str, Any] = {
        "id": [picture_id(row.path, row.frame) for row in rows],
        "path": [readable(row.path) for row in rows],
        "path_bytes": [_bytes_if_needed(row.path) for row in rows],
        "content": [row.content for row in rows],
        "size": [row.size for row in rows],
        "mtime_ns": [row.mtime_ns for row in rows],
        "width": [row.width for row in rows],
        "height": [row.height for row in rows],
        "taken": [row.taken for row in rows],
        "captions": [captions_json(row.captions) for row in rows],
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), dimension),
        "file": [picture_id(row.path) for row in rows],
        "moment": [row.moment for row in rows],
        "words": [words_of_captions(row.captions) if row.frame == 0 else None for row in rows],
        **_place_columns([row.place for row in rows]),
        "located": [row.located for row in rows],
    }
    told = zip(*(columns[name] for name in SHOWN_COLUMNS), strict=True)
    columns["shown"] = [shown(dict(zip(SHOWN_COLUMNS, row, strict=True))) for row in told]
    return pa.table(columns, schema=pictures_schema(dimension))


def embeddings_of(rows: pa.Table | pa.RecordBatch) -> NDArray[np.float32]:
    """(rows, dimension) of the column ``embedding``."""
    import pyarrow as pa

    column = rows["embedding"]
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    flat: NDArray[np.float32] = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(rows), column.type.list_size)  # (rows · dimension,) → (rows, dimension)


def shown(row: Mapping[str, Any]) -> str:
    """What the column ``shown`` holds of a row that has ``SHOWN_COLUMNS``: their values as JSON."""
    raw, taken = row["path_bytes"], row["taken"]
    told = {**row, "path_bytes": raw and raw.hex(), "taken": taken and taken.isoformat()}
    return json.dumps([told[name] for name in SHOWN_COLUMNS], ensure_ascii=False)


def row_shown(text: str) -> dict[str, Any]:
    """``SHOWN_COLUMNS`` of a row, from its column ``shown``."""
    row = dict(zip(SHOWN_COLUMNS, json.loads(text), strict=True))
    raw, taken = row["path_bytes"], row["taken"]
    row["path_bytes"] = raw and bytes.fromhex(raw)
    row["taken"] = taken and datetime.fromisoformat(taken)
    return row


def places_table(places: Mapping[str, Place | None]) -> pa.Table:
    """Ids and places as Arrow, of files that were asked where they were taken."""
    import pyarrow as pa

    schema = pa.schema([pa.field("id", pa.string(), nullable=False), *_place_fields()])
    columns: dict[str, Any] = {"id": list(places), **_place_columns(places.values())}
    return pa.table({**columns, "located": [True] * len(places)}, schema=schema)


def _place_columns(places: Iterable[Place | None]) -> dict[str, list[float | None]]:
    pairs: list[tuple[float | None, float | None]] = [
        (None, None) if place is None else place for place in places
    ]
    return {
        "latitude": [latitude for latitude, _ in pairs],
        "longitude": [longitude for _, longitude in pairs],
    }


def skipped_table(rows: Sequence[Skipped]) -> pa.Table:
    """Skipped files as Arrow."""
    import pyarrow as pa

    columns = {
        "id": [picture_id(row.path) for row in rows],
        "path": [readable(row.path) for row in rows],
        "size": [row.size for row in rows],
        "mtime_ns": [row.mtime_ns for row in rows],
        "reason": [row.reason for row in rows],
    }
    return pa.table(columns, schema=skipped_schema())


def stored_place(row: Mapping[str, Any]) -> Place | None:
    """The place of a row that has ``PLACE_COLUMNS``."""
    if row["latitude"] is None or row["longitude"] is None:
        return None
    return Place(row["latitude"], row["longitude"])


def stored_path(path: str, path_bytes: bytes | None) -> str:
    """The path of a row as the operating system knows it, also where it is not UTF-8."""
    return path if path_bytes is None else os.fsdecode(path_bytes)


def _bytes_if_needed(path: str) -> bytes | None:
    raw = os.fsencode(path)
    return raw if readable(path) != path else None
