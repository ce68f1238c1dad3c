"""Writing into a collection: in batches, one writer at a time, tidied up as it grows."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.files import replaced_when_complete
from polyglance.data.locking import LOCK_FILE, only_writer
from polyglance.data.place import Place
from polyglance.errors import CollectionError
from polyglance.search.collection import (
    FORMAT,
    Collection,
    CollectionInfo,
    id_conditions,
    read_info,
)
from polyglance.search.compaction import KEEP_OLD_VERSIONS, is_due
from polyglance.search.encoder import Model
from polyglance.search.freed_memory import giving_back
from polyglance.search.known_ids import KnownIds
from polyglance.search.lance import TABLES_FOLDER, connect, writing
from polyglance.search.location import folder_of
from polyglance.search.schema import (
    INFO_FILE,
    PICTURES,
    SHARDS,
    SKIPPED,
    Skipped,
    Stored,
    picture_id,
    pictures_schema,
    pictures_table,
    places_table,
    skipped_schema,
    skipped_table,
)
from polyglance.search.text_index import build_text_index
from polyglance.search.vector_index import refresh_index

if TYPE_CHECKING:
    import pyarrow as pa

# Every transaction leaves a fragment; queries slow down with their number.
COMMITS_BEFORE_COMPACTION = 100
# Where a collection notes no places: nothing is left of those that it had. A run that is killed
# before it comes to that leaves it to the next one.
FORGOTTEN_FILE = "places-forgotten"


class Writer:
    """The one process that may change a collection; made by :func:`open_for_writing`.

    Every method is one transaction a table, and doing it twice changes nothing.
    """

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.folder = folder_of(collection.folder)
        self._commits = 0

    @cached_property
    def _known(self) -> KnownIds:
        return KnownIds(self.collection.pictures)

    def upsert(self, rows: Sequence[Stored]) -> None:
        """Insert pictures and videos, or replace those with the same path, a file as a whole."""
        if not rows:
            return
        table = pictures_table(rows, self.collection.info.dimension)
        ids = table["id"].to_pylist()
        with writing(self.folder):
            if len({*ids}) == len(ids) and self._known.lacks([*ids, *table["file"].to_pylist()]):
                _append(self.collection.pictures, table)
            else:
                videos = {picture_id(row.path) for row in rows if row.moment is not None}
                _replace(self.collection.pictures, table, whole=videos)
            self._known.add(ids)
        self._committed()

    def skip(self, rows: Sequence[Skipped]) -> None:
        """Remember that files could not be read, and why."""
        if not rows:
            return
        with writing(self.folder):
            _merge(self.collection.skipped, skipped_table(rows))
        self._committed()

    def remove_pictures(self, ids: Iterable[str]) -> None:
        """Forget pictures, and videos with all their frames."""
        for condition in id_conditions(ids, column="file"):
            with writing(self.folder):
                self.collection.pictures.delete(condition)
            self._committed()

    def remove_skipped(self, ids: Iterable[str]) -> None:
        """Forget that files could not be read."""
        for condition in id_conditions(ids):
            with writing(self.folder):
                self.collection.skipped.delete(condition)
            self._committed()

    def locate(self, places: Mapping[str, Place | None]) -> None:
        """Note where pictures were taken, by id; ``None`` where their files do not tell."""
        if not places:
            return
        with writing(self.folder):
            merge = self.collection.pictures.merge_insert("id").when_matched_update_all()
            merge.execute(places_table(places))
        self._committed()

    def keep_places(self, wanted: bool | None) -> None:
        """Say whether places are noted; where they are not, forget those that are there.

        Nothing of them stays on the disk: older states of the table go too, also under a reader
        that is at it.

        Args:
            wanted: ``None`` for what the collection remembers.
        """
        info, forgotten = self.collection.info, self.folder / FORGOTTEN_FILE
        with writing(self.folder):
            if wanted:
                forgotten.unlink(missing_ok=True)
            if wanted is not None and wanted != info.places:
                self.collection.info = info.model_copy(update={"places": wanted})
                _describe(self.folder, self.collection.info)
            if not self.collection.info.places and not forgotten.exists():
                self._forget_places()
                forgotten.touch()

    def _forget_places(self) -> None:
        table = self.collection.pictures
        if table.count_rows("located"):
            unknown = "CAST(NULL AS DOUBLE)"
            # Of every row: a file of the table goes only where no row in it stays.
            table.update(values_sql={"latitude": unknown, "longitude": unknown, "located": "false"})
        with warnings.catch_warnings():  # that older states go is what was asked for
            warnings.simplefilter("ignore", UserWarning)
            table.optimize(cleanup_older_than=timedelta(0))
        if (self.folder / SHARDS).exists():
            shutil.rmtree(self.folder / SHARDS)

    def tidy(self) -> None:
        """Put the tables' files in order, and bring indices up to date, as far as that is due.

        See :mod:`polyglance.search.compaction`.
        """
        with writing(self.folder), giving_back():
            if is_due(self.collection.pictures):
                self._compact()
            elif self._commits:
                _optimize(self.collection.skipped)  # which is small
            refresh_index(self.collection.pictures, rows=len(self.collection))

    def _committed(self) -> None:
        self._commits += 1
        if self._commits >= COMMITS_BEFORE_COMPACTION:
            self._compact()

    def _compact(self) -> None:
        with writing(self.folder), giving_back():
            _optimize(self.collection.pictures)
            _optimize(self.collection.skipped)
        self._commits = 0


@contextmanager
def open_for_writing(folder: Path, *, model: Model, root: Path) -> Iterator[Writer]:
    """Open a collection, or make it where there is none, as its only writer.

    Args:
        folder: of the collection.
        model: the one whose embeddings will be written.
        root: absolute folder that the pictures' paths are relative to.

    Raises:
        CollectionError: another process is writing; another model or another root filled the
            collection; or the folder holds something else.
    """
    _make_folder(folder)
    if (folder / INFO_FILE).exists():
        read_info(folder)  # where its format is older, this writes, and so comes before the lock
    with only_writer(folder, CollectionError):
        if not (folder / INFO_FILE).exists():
            _create(folder, model=model, root=root)
        collection = Collection.open(folder)
        collection.check_model(name=model.name, fingerprint=model.fingerprint)
        if Path(collection.info.root) != root:
            raise CollectionError(
                f"{folder} holds the pictures of {collection.info.root}, not of {root}; "
                f"choose another --collection (if the pictures have moved there as a whole, "
                f"change 'root' in {folder / INFO_FILE})"
            )
        yield Writer(collection)


@contextmanager
def open_for_removing(folder: Path) -> Iterator[Writer]:
    """Open a collection as its only writer, to take rows out: that needs no model.

    Raises:
        CollectionError: there is no collection, it is damaged, or another process is writing.
    """
    read_info(folder)  # before the lock, which would make the folder
    with only_writer(folder, CollectionError):
        yield Writer(Collection.open(folder))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strangers = {entry.name for entry in folder.iterdir()} - {LOCK_FILE, TABLES_FOLDER}
    except OSError as error:
        raise CollectionError(f"{folder}: cannot be a collection: {error.strerror}") from None
    leftovers = {name for name in strangers if name.startswith(f".{Path(INFO_FILE).stem}-")}
    if INFO_FILE not in strangers and strangers - leftovers:
        raise CollectionError(
            f"{folder} is not a collection, and not empty; choose a new folder for --collection"
        )


def _create(folder: Path, *, model: Model, root: Path) -> None:
    """Tables first: the description makes the collection valid and so comes last."""
    with writing(folder):
        database = connect(folder)
        schema = pictures_schema(model.dimension)
        build_text_index(database.create_table(PICTURES, schema=schema, mode="overwrite"))
        database.create_table(SKIPPED, schema=skipped_schema(), mode="overwrite")
    info = CollectionInfo(
        format=FORMAT,
        model=model.name,
        fingerprint=model.fingerprint,
        dimension=model.dimension,
        root=str(root),
        created=datetime.now(UTC).replace(microsecond=0),
    )
    _describe(folder, info)


def _describe(folder: Path, info: CollectionInfo) -> None:
    with writing(folder), replaced_when_complete(folder / INFO_FILE) as temporary:
        temporary.write_text(info.model_dump_json(indent=2) + "\n", "utf-8")


def _optimize(table: Any) -> None:
    table.optimize(cleanup_older_than=KEEP_OLD_VERSIONS)


def _append(table: Any, rows: pa.Table) -> None:
    """Insert rows of which the table has none, and read them."""
    before, count = table.version, table.count_rows()
    table.add(rows)
    offsets = list(range(count, count + len(rows)))
    _read_back(table, [table.take_offsets(offsets)], before)


def _replace(table: Any, rows: pa.Table, *, whole: Iterable[str]) -> None:
    """Insert rows, or put them in the place of others, and read them."""
    before = table.version
    _merge(table, rows, whole=whole)
    conditions = id_conditions(rows["id"].to_pylist())
    _read_back(table, (table.search().where(condition) for condition in conditions), before)


def _merge(table: Any, rows: pa.Table, *, whole: Iterable[str] = ()) -> None:
    """Insert or replace rows; of the files ``whole`` no other rows are left."""
    merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
    if others := " OR ".join(id_conditions(whole, column="file")):
        merge = merge.when_not_matched_by_source_delete(others)
    merge.execute(rows)


def _read_back(table: Any, written: Iterable[Any], before: int) -> None:
    """Read what was written, and take it back where it cannot be read.

    LanceDB does not hear of every write that is cut short, as by a limit on the size of files; one
    row that cannot be read would cost the whole table.

    Raises:
        OSError: it could not be read.
    """
    try:
        for query in written:
            query.to_arrow()
    except (OSError, RuntimeError, ValueError) as error:
        table.restore(before)
        raise OSError(f"what was written cannot be read: {error}") from error
