"""A collection: embedded pictures and frames on disk, and the description of who filled them in.

A folder with ``collection.json`` (which model, which pictures, which format) and LanceDB tables:
``pictures`` and ``skipped`` (see :mod:`polyglance.search.schema`). Every change is a transaction of
LanceDB's: a reader sees the table before or after it, never between. Writing goes through
:mod:`polyglance.search.writer`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from polyglance.errors import CollectionError
from polyglance.search.lance import COPY_AGAIN, REBUILD, connect, reading
from polyglance.search.location import Location, location_of, read_file
from polyglance.search.migration import add_moments, add_places, add_shown, add_words
from polyglance.search.schema import (
    INFO_FILE,
    PICTURES,
    SKIPPED,
    picture_id,
    pictures_schema,
    skipped_schema,
    stored_path,
)
from polyglance.search.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 5
IDS_PER_FILTER = 1000
# LanceDB reads two gigabytes ahead of whoever takes its batches. A query of more was seen to stop
# for ever, about once in ten times: over five million rows with their embeddings.
ROWS_AT_ONCE = 200_000
FIRST_OF_A_FILE = "id = file"  # a picture, or the first row of a video

# From a format to the next one: changes the tables, writes the new description and returns it.
MIGRATIONS: Mapping[int, Callable[[Path, dict[str, Any]], dict[str, Any]]] = {
    1: add_moments,
    2: add_words,
    3: add_places,
    4: add_shown,
}


class CollectionInfo(BaseModel):
    """The content of ``collection.json``.

    Attributes:
        format: version of everything in the folder.
        model: name or folder of the model that made the embeddings.
        fingerprint: hex digest over that model's weights, tokenizer and preprocessing.
        dimension: of the embeddings.
        root: absolute path that the pictures' paths are relative to.
        created: when.
        places: whether it notes where pictures were taken.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    model: str
    fingerprint: str
    dimension: int
    root: str
    created: datetime
    places: bool = True


class Known(NamedTuple):
    """What is remembered of a file, to tell whether it has changed.

    Attributes:
        size: in bytes.
        mtime_ns: in nanoseconds.
        content: hex digest of its bytes.
        captions: as JSON, if it has any.
    """

    size: int
    mtime_ns: int
    content: str
    captions: str | None


class File(NamedTuple):
    """A picture or a video as a collection remembers it.

    Attributes:
        id: of the file, and of its first row.
        path: as stored, see :class:`polyglance.search.schema.Stored`.
        size: in bytes.
        mtime_ns: in nanoseconds.
        content: hex digest of its bytes.
        is_video: whether its rows are frames.
    """

    id: str
    path: str
    size: int
    mtime_ns: int
    content: str
    is_video: bool


FILE_COLUMNS = ("id", "path", "path_bytes", "size", "mtime_ns", "content", "moment")


def file_of(row: Mapping[str, Any]) -> File:
    """The file behind a row that has ``FILE_COLUMNS``."""
    return File(
        id=row["id"],
        path=stored_path(row["path"], row["path_bytes"]),
        size=row["size"],
        mtime_ns=row["mtime_ns"],
        content=row["content"],
        is_video=row["moment"] is not None,
    )


class Collection:
    """A collection, open for reading; it is never blocked by a writer.

    Attributes:
        folder: where it lies, which may be on a store.
        info: the content of its ``collection.json``.
        pictures: LanceDB table.
        skipped: LanceDB table.
    """

    def __init__(self, folder: Location, info: CollectionInfo) -> None:
        self.folder = folder
        self.info = info
        self.pictures = _open_table(folder, PICTURES, pictures_schema(info.dimension))
        self.skipped = _open_table(folder, SKIPPED, skipped_schema())

    @classmethod
    def open(cls, folder: str | Path | Store) -> Collection:
        """Open what ``polyglance index`` has made, or its copy at ``s3://BUCKET/PATH``.

        Raises:
            CollectionError: there is none, it is damaged, out of reach, or a newer Polyglance
                made it.
        """
        place = location_of(folder)
        return cls(place, read_info(place))

    def each_file(self) -> Iterator[File]:
        """Every picture and video, in no order."""
        for batch in self.batches(FILE_COLUMNS, where=FIRST_OF_A_FILE):
            yield from map(file_of, batch.to_pylist())

    def batches(
        self, columns: Sequence[str], *, where: str | None = None, numbered: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """Rows of ``pictures``, some thousand at a time; all of one state of the table.

        Args:
            columns: names.
            where: a condition in SQL; every row where it is ``None``.
            numbered: with LanceDB's numbers of the rows as well, in the column ``_rowid``.

        Raises:
            CollectionError: the table is damaged.
        """
        return self._batches(self.pictures, columns, where, numbered=numbered)

    def check_model(self, *, name: str, fingerprint: str) -> None:
        """Refuse a model whose embeddings cannot be compared with the ones stored here.

        Raises:
            CollectionError: it is not the model that filled the collection.
        """
        if fingerprint != self.info.fingerprint:
            raise CollectionError(
                f"{self.folder} was filled by the model {self.info.model!r} "
                f"({self.info.fingerprint[:12]}) and cannot be used with {name!r} "
                f"({fingerprint[:12]}): their embeddings are not comparable. "
                f"Use that model, or index into another collection"
            )

    def refresh(self) -> int:
        """Move on to the newest state that is there and return its version."""
        with reading(self.folder):
            self.skipped.checkout_latest()
            self.pictures.checkout_latest()
            return int(self.pictures.version)

    def __len__(self) -> int:
        with reading(self.folder):
            return int(self.pictures.count_rows())

    def files(self) -> int:
        """How many pictures and videos there are; of a video, each frame is a row."""
        with reading(self.folder):
            return int(self.pictures.count_rows(FIRST_OF_A_FILE))

    def unreadable(self) -> int:
        """How many files could not be read."""
        with reading(self.folder):
            return int(self.skipped.count_rows())

    def known(self) -> dict[str, Known]:
        """Id → what is remembered of each picture and video."""
        columns = ["id", "size", "mtime_ns", "content", "captions"]
        rows = self._scan(self.pictures, columns, where=FIRST_OF_A_FILE)
        return {row[0]: Known(*row[1:]) for row in rows}

    def known_skipped(self) -> dict[str, Known]:
        """Id → the size and time that a file had when it could not be read."""
        rows = self._scan(self.skipped, ["id", "size", "mtime_ns"])
        return {key: Known(size, mtime_ns, "", None) for key, size, mtime_ns in rows}

    def skip_reasons(self) -> list[tuple[str, str]]:
        """(path, reason) of every file that could not be read, by path."""
        return sorted(tuple(row) for row in self._scan(self.skipped, ["path", "reason"]))

    def ids_at(self, places: Sequence[str]) -> set[str]:
        """Ids of the pictures at these paths, or below those that end in a slash."""
        exact, folders = set(places), tuple(place for place in places if place.endswith("/"))
        paths = (stored_path(*row) for row in self._scan(self.pictures, ["path", "path_bytes"]))
        return {picture_id(path) for path in paths if path in exact or path.startswith(folders)}

    def matching(self, where: str | None = None) -> int:
        """How many pictures and videos there are for which a LanceDB expression holds."""
        with reading(self.folder):
            return int(self.pictures.count_rows(first_of_files(where)))

    def rows(
        self, ids: Iterable[str], columns: Sequence[str] | None = None
    ) -> dict[str, dict[str, Any]]:
        """Id → all columns, or those named, ``id`` among them; for those of ``ids`` there are."""
        wanted = list(columns or self.pictures.schema.names)
        found: dict[str, dict[str, Any]] = {}
        for condition in id_conditions(ids):
            with reading(self.folder):
                rows = self.pictures.search().where(condition).select(wanted).to_arrow().to_pylist()
            found.update({row["id"]: row for row in rows})
        return found

    def rows_of_files(self, files: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """A file's id → its rows with all columns: one of a picture, a video's frames in order."""
        # First rows have their files' ids, and the index that large collections have is over ids.
        first = self.rows(files).values()
        found = {row["file"]: [row] for row in first if row["moment"] is None}
        videos = [row["file"] for row in first if row["moment"] is not None]
        for condition in id_conditions(videos, column="file"):
            with reading(self.folder):
                rows = self.pictures.search().where(condition).to_arrow().to_pylist()
            for row in sorted(rows, key=lambda row: row["moment"]):
                found.setdefault(row["file"], []).append(row)
        return found

    def absolute(self, path: str) -> Path:
        """Where a stored path lies now."""
        return Path(self.info.root) / path

    def _scan(
        self, table: Any, columns: list[str], *, where: str | None = None
    ) -> Iterator[tuple[Any, ...]]:
        for batch in self._batches(table, columns, where):
            yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)

    def _batches(
        self, table: Any, columns: Sequence[str], where: str | None, *, numbered: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """Rows in order, of the state that there is now, ``ROWS_AT_ONCE`` a query."""
        with reading(self.folder):
            count = table.count_rows(where)
            if count > ROWS_AT_ONCE:  # the table may move on, and offsets with it
                table = _as_it_is(self.folder, table)
        for start in range(0, count, ROWS_AT_ONCE):
            with reading(self.folder):
                rows = table.search() if where is None else table.search().where(where)
                rows = rows.select(list(columns)).with_row_id(numbered)
                reader = rows.offset(start).limit(ROWS_AT_ONCE).to_batches()
            while True:  # what the consumer does with a batch is not the table's fault
                with reading(self.folder):
                    batch = next(reader, None)
                if batch is None:
                    break
                yield batch


def read_info(folder: Location, *, migrate: bool = True) -> CollectionInfo:
    """Read and check ``collection.json``, migrating the collection where its format is older.

    Args:
        folder: of the collection.
        migrate: whether that may change it; otherwise, and on a store, an older format is refused.

    Raises:
        CollectionError: it is missing, damaged, from the future, or older where it may not change.
    """
    path = f"{folder}/{INFO_FILE}"
    try:
        content = json.loads(read_file(folder, INFO_FILE).decode("utf-8"))
        found = int(content["format"])
    except FileNotFoundError:
        raise CollectionError(f"there is no collection at {folder}; {_made_by(folder)}") from None
    except OSError as error:
        raise CollectionError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise CollectionError(f"{path} is damaged; {REBUILD}") from None
    if found > FORMAT:
        raise CollectionError(
            f"{folder} has format {found}, made by a newer Polyglance; this one reads up to "
            f"{FORMAT}. Update Polyglance"
        )
    if isinstance(folder, Store):
        if found < FORMAT:
            raise CollectionError(
                f"{folder} has format {found}, of an earlier Polyglance; {COPY_AGAIN}"
            )
        return _checked(content, path)
    if found < FORMAT and not migrate:
        raise CollectionError(
            f"{folder} has format {found}, of an earlier Polyglance; "
            f"'polyglance collection info {folder}' brings it to format {FORMAT}"
        )
    for version in range(found, FORMAT):
        content = MIGRATIONS[version](folder, content)
    return _checked(content, path)


def _made_by(place: Location) -> str:
    if isinstance(place, Store):
        return f"bring one there with 'polyglance collection copy FOLDER {place}'"
    return f"make one with 'polyglance index FOLDER --collection {place}'"


def _checked(content: object, path: str) -> CollectionInfo:
    try:
        return CollectionInfo.model_validate(content)
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        raise CollectionError(f"{path} is damaged ({wrong}); {REBUILD}") from None


def first_of_files(where: str | None) -> str:
    """The expression for pictures, and the first rows of videos, for which another one holds."""
    return FIRST_OF_A_FILE if where is None else f"{FIRST_OF_A_FILE} AND ({where})"


def id_conditions(ids: Iterable[str], *, column: str = "id") -> Iterator[str]:
    """SQL conditions that together select ``ids``, each of a bounded length.

    Args:
        ids: of rows, or of files.
        column: ``id`` or ``file``.

    Raises:
        ValueError: something is not an id; nothing else ever reaches the SQL.
    """
    wanted = sorted(set(ids))
    for key in wanted:
        if len(key) != 16 or not set(key) <= set("0123456789abcdef"):
            raise ValueError(f"{key!r} is not the id of a picture")
    for start in range(0, len(wanted), IDS_PER_FILTER):
        listed = ", ".join(f"'{key}'" for key in wanted[start : start + IDS_PER_FILTER])
        yield f"{column} IN ({listed})"


def _as_it_is(folder: Location, table: Any) -> Any:
    """The same state of a table, opened anew, so that it stays."""
    own = connect(folder).open_table(table.name)
    own.checkout(table.version)
    return own


def _open_table(folder: Location, name: str, schema: pa.Schema) -> Any:
    with reading(folder):
        table = connect(folder).open_table(name)
        if table.schema != schema:
            raise ValueError(f"the table {name!r} has other columns than it should")
        return table
