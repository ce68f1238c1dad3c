"""Mending what :mod:`polyglance.search.verification` finds wrong within a collection.

What can be told from the rest of a row is written anew: keys from the path, words from the
captions, what is shown from all of it. Of rows of one path the first good one stays. What cannot be
told, an embedding that is no unit vector or the frames of a video with a wrong key, is taken out
with all rows of its file, so that the next ``polyglance index`` finds the file new and encodes it.
Rows that are sound are never touched, and nothing is taken out before what replaces it is written.
Where the table cannot be read as it is now, the last state that can be read takes its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.locking import only_writer
from polyglance.errors import CollectionError
from polyglance.search.calibration import FILE as CALIBRATION_FILE
from polyglance.search.caption_words import words_of_captions
from polyglance.search.collection import Collection, read_info
from polyglance.search.lance import REBUILD, connect, reading, writing
from polyglance.search.schema import (
    INFO_FILE,
    PICTURES,
    SHOWN_COLUMNS,
    SKIPPED,
    embeddings_of,
    picture_id,
    readable,
    shown,
    skipped_schema,
    stored_path,
)
from polyglance.search.text_index import build_text_index, has_text_index
from polyglance.search.verification import is_finite, is_unit, require_tables
from polyglance.search.writer import Writer

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 1000
NUMBER = "_rowid"  # LanceDB's own, of a row
COLUMNS = [*SHOWN_COLUMNS, "captions", "words", "shown"]


@dataclass(slots=True)
class Repaired:
    """What was mended.

    Attributes:
        rewritten: rows whose key, words, or what they show were written anew.
        doubles: rows that were there already, and are no more.
        forgotten: paths of files that have to be indexed again.
        text_index: whether the index of captions' words was built anew.
        rolled_back: whether the newest state could not be read, and an older one took its place.
        skipped: whether the list of unreadable files was, empty: the next ``index`` fills it.
        leftovers: unfinished files of a process that was killed, now deleted.
    """

    rewritten: int = 0
    doubles: int = 0
    forgotten: list[str] = field(default_factory=list)
    text_index: bool = False
    rolled_back: bool = False
    skipped: bool = False
    leftovers: int = 0

    def __bool__(self) -> bool:
        """Whether there was anything."""
        return self != Repaired()


def repair(folder: Path) -> Repaired:
    """Mend a collection; interrupted, it goes on from there.

    Args:
        folder: of the collection.

    Raises:
        CollectionError: there is no collection, another process is writing, its format is another
            than this Polyglance's, or the table of pictures is missing or cannot be read.
    """
    info = read_info(folder, migrate=False)
    repaired = Repaired()
    with only_writer(folder, CollectionError):
        repaired.rolled_back = _mend_pictures(folder)
        repaired.leftovers = _delete_leftovers(folder)
        repaired.skipped = _mend_skipped(folder)
        collection = Collection(folder, info)
        _mend_rows(collection, repaired)
        if not has_text_index(collection.pictures):
            with writing(folder):
                build_text_index(collection.pictures)
            repaired.text_index = True
        if repaired:
            Writer(collection).tidy()
    return repaired


def _mend_pictures(folder: Path) -> bool:
    """Where the newest state cannot be read, go back to the one before that can.

    LanceDB keeps states for a while. Nothing is changed where none of them can be read; the empty
    one that each table began as does not count.
    """
    require_tables(folder)
    lost = CollectionError(
        f"{folder}: the table of pictures cannot be read, and nothing else knows what was in it; "
        f"{REBUILD}"
    )
    try:
        with reading(folder):
            table = connect(folder).open_table(PICTURES)
            newest, *older = sorted(each["version"] for each in table.list_versions())[::-1]
    except CollectionError:
        raise lost from None
    if _readable_rows(folder, table, newest) is not None:
        return False
    for version in older:
        if _readable_rows(folder, table, version):
            with writing(folder):
                table.restore()
            return True
    raise lost


def _readable_rows(folder: Path, table: Any, version: int) -> int | None:
    """How many rows a state has; ``None`` where they cannot be read."""
    try:
        with reading(folder):
            table.checkout(version)
            return sum(len(batch) for batch in table.search().to_batches())
    except CollectionError:
        return None


def _delete_leftovers(folder: Path) -> int:
    """Nobody else is writing, so what is unfinished will never be finished."""
    names = [Path(name) for name in (INFO_FILE, CALIBRATION_FILE)]
    leftovers = [
        file for name in names for file in folder.glob(f".{name.stem}-{'?' * 8}{name.suffix}")
    ]
    with writing(folder):
        for file in leftovers:
            file.unlink()
    return len(leftovers)


def _mend_skipped(folder: Path) -> bool:
    database = connect(folder)
    try:
        with reading(folder):
            if database.open_table(SKIPPED).to_arrow().schema == skipped_schema():
                return False
    except CollectionError:
        pass
    with writing(folder):
        database.drop_table(SKIPPED, ignore_missing=True)
        database.create_table(SKIPPED, schema=skipped_schema())
    return True


@dataclass(slots=True)
class _Plan:
    """What is to be done with rows, by their numbers.

    Attributes:
        right: a row's number → those of its columns that are to be another.
        doubles: rows that are there already.
        lost: rows of the files that have to be indexed again.
    """

    right: dict[int, dict[str, str | None]] = field(default_factory=dict)
    doubles: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)


def _mend_rows(collection: Collection, repaired: Repaired) -> None:
    lost = _lost_files(collection)
    plan = _plan(collection, lost)
    with writing(collection.folder):
        for numbers in _some(list(plan.right)):
            rows = collection.pictures.search().where(_condition(numbers)).with_row_id(True)
            collection.pictures.add(_rewritten(rows.to_arrow(), plan.right))
        for numbers in _some([*plan.right, *plan.doubles, *plan.lost]):
            collection.pictures.delete(_condition(numbers))
    repaired.rewritten, repaired.doubles = len(plan.right), len(plan.doubles)
    repaired.forgotten = sorted(map(readable, lost))


def _lost_files(collection: Collection) -> set[str]:
    """Paths of the files of which a row is bad, and no other row is there in its place."""
    good: set[int] = set()
    bad: list[tuple[int, str]] = []
    for batch in collection.batches([*COLUMNS, "embedding"]):
        for row, is_good in _judged(batch):
            path, place = _place(row)
            if is_good:
                good.add(place)
            else:
                bad.append((place, path))
    return {path for place, path in bad if place not in good}


def _plan(collection: Collection, lost: set[str]) -> _Plan:
    plan = _Plan()
    seen: set[int] = set()
    for batch in collection.batches([*COLUMNS, "embedding"], numbered=True):
        for row, is_good in _judged(batch):
            path, place = _place(row)
            number = row[NUMBER]
            if path in lost:
                plan.lost.append(number)
            elif not is_good or place in seen:
                plan.doubles.append(number)
            else:
                seen.add(place)
                right = _right(row, path)
                if any(row[name] != value for name, value in right.items()):
                    plan.right[number] = right
    return plan


def _judged(batch: pa.RecordBatch) -> Iterator[tuple[dict[str, Any], bool]]:
    """Each row without its embedding, and whether it can be kept."""
    embeddings = embeddings_of(batch)
    sound = is_finite(embeddings) & is_unit(embeddings)  # (rows,)
    rows = batch.drop_columns(["embedding"]).to_pylist()
    for row, has_embedding in zip(rows, sound.tolist(), strict=True):
        # A picture has one row, whose key its path tells; a frame's has its number as well.
        has_key = row["moment"] is None or row["file"] == picture_id(_place(row)[0])
        yield row, has_embedding and has_key


def _place(row: Mapping[str, Any]) -> tuple[str, int]:
    """The path of a row's file, and what no other row should have; 64 bits, not the strings."""
    path = stored_path(row["path"], row["path_bytes"])
    return path, hash((path, row["moment"]))


def _right(row: Mapping[str, Any], path: str) -> dict[str, str | None]:
    """Key and words of a row, and what it shows, as they should be."""
    file = picture_id(path)
    key = file if row["moment"] is None else row["id"]
    words = words_of_captions(json.loads(row["captions"] or "null")) if key == file else None
    keys = {"id": key, "file": file}
    return {**keys, "words": words, "shown": shown({**row, **keys})}


def _rewritten(rows: pa.Table, right: Mapping[int, Mapping[str, str | None]]) -> pa.Table:
    """Rows with some of their columns as they should be."""
    import pyarrow as pa

    numbers = rows[NUMBER].to_pylist()
    rows = rows.drop_columns([NUMBER])
    for name in ("id", "file", "words", "shown"):
        column = pa.array([right[number][name] for number in numbers], pa.string())
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), column)
    return rows


def _some(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), ROWS_AT_ONCE):
        yield numbers[start : start + ROWS_AT_ONCE]


def _condition(numbers: Sequence[int]) -> str:
    return f"{NUMBER} IN ({', '.join(str(int(number)) for number in numbers)})"
