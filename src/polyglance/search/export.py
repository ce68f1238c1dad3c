"""A collection as a file for other programs: a manifest, with or without the embeddings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyglance.data.files import replaced_when_complete
from polyglance.data.manifest_row import FieldError, record_from_row
from polyglance.errors import CollectionError
from polyglance.search.collection import FIRST_OF_A_FILE, Collection
from polyglance.search.schema import PLACE_COLUMNS, embeddings_of, stored_path

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

Row = dict[str, Any]
# Takes rows and, where they are wanted, their embeddings, (rows, dimension).
Write = Callable[[list[Row], "NDArray[np.float32] | None"], None]

COLUMNS = ["id", "path", "path_bytes", "captions", "size", "taken", "content", "width", "height"]
COLUMNS += ["moment", *PLACE_COLUMNS]
SUFFIXES = (".jsonl", ".parquet")


@dataclass(slots=True)
class Exported:
    """What was written.

    Attributes:
        lines: or rows, in the file.
        outside: of these, files that a manifest at this place cannot name: they lie elsewhere, or
            their names are not UTF-8.
        vectors: the file with the embeddings, where they are in one of their own.
    """

    lines: int = 0
    outside: int = 0
    vectors: Path | None = None


def export(collection: Collection, output: Path, *, embeddings: bool = False) -> Exported:
    """Write what a collection knows of its files, whole or not at all.

    A line (``.jsonl``) or row (``.parquet``) has the keys of a manifest, with ``image`` or
    ``video`` where the file lies below the folder of ``output``, and ``path`` (absolute), ``size``
    in bytes, ``date``, ``hash``, ``width``, ``height``, ``latitude`` and ``longitude`` in any case.

    With embeddings a video has a line for each frame, with its ``moment``; in Parquet they are the
    column ``embedding``, and beside JSON Lines a file ``.npy`` of float32, (lines, dimension), has
    them in the order of the lines.

    Args:
        collection: open for reading.
        output: the file; an existing one is replaced.
        embeddings: whether they are wanted.

    Raises:
        CollectionError: the name has another suffix, the collection is empty or damaged, or the
            file cannot be written.
    """
    if output.suffix not in SUFFIXES:
        raise CollectionError(f"{output}: the name of an export ends in .jsonl or .parquet")
    if output.is_dir():
        raise CollectionError(f"{output}: a folder; name a file")
    lines = len(collection) if embeddings else collection.files()
    if not lines:
        raise CollectionError(f"{collection.folder} is empty; there is nothing to export")
    dimension = collection.info.dimension if embeddings else None
    exported = Exported()
    try:
        with ExitStack() as files:  # closed last to first: the vectors are there before the lines
            if output.suffix == ".parquet":
                sinks = [files.enter_context(_parquet(output, dimension))]
            else:
                sinks = [files.enter_context(_json_lines(output))]
            if dimension is not None and output.suffix == ".jsonl":
                exported.vectors = output.with_suffix(".npy")
                sinks.append(files.enter_context(_vectors(exported.vectors, lines, dimension)))
            for rows, vectors in _batches(collection, output.parent.resolve(), dimension):
                for write in sinks:
                    write(rows, vectors)
                exported.lines += len(rows)
                exported.outside += sum("image" not in row and "video" not in row for row in rows)
    except OSError as error:
        reason = error.strerror or error
        raise CollectionError(f"{output}: cannot be written: {reason}") from None
    return exported


def _batches(
    collection: Collection, folder: Path, dimension: int | None
) -> Iterator[tuple[list[Row], NDArray[np.float32] | None]]:
    """Lines and their embeddings: of every row, or without these of every file."""
    if dimension is None:
        for batch in collection.batches(COLUMNS, where=FIRST_OF_A_FILE):
            rows = [_row(collection, row, folder) for row in batch.to_pylist()]
            yield [{key: row[key] for key in row if key != "moment"} for row in rows], None
        return
    for batch in collection.batches([*COLUMNS, "embedding"]):
        rows = [_row(collection, row, folder) for row in batch.select(COLUMNS).to_pylist()]
        yield rows, embeddings_of(batch)


def _row(collection: Collection, stored: Row, folder: Path) -> Row:
    """The keys of a line; those that a file lacks are left out."""
    path = collection.absolute(stored_path(stored["path"], stored["path_bytes"]))
    moment = stored["moment"]
    row: Row = {"id": stored["id"]}
    row |= _named_below(folder, path, "image" if moment is None else "video")
    row["captions"] = json.loads(stored["captions"]) if stored["captions"] else {}
    row["path"] = str(collection.absolute(stored["path"]))
    row["size"], row["date"], row["hash"] = stored["size"], stored["taken"], stored["content"]
    row["width"], row["height"] = stored["width"], stored["height"]
    row |= {name: stored[name] for name in PLACE_COLUMNS}
    return row if moment is None else row | {"moment": moment}


def _named_below(folder: Path, path: Path, key: str) -> Row:
    """How a manifest in ``folder`` names a file; nothing where it cannot."""
    if not path.is_relative_to(folder):
        return {}
    named = {key: path.relative_to(folder).as_posix()}
    try:
        named[key].encode("utf-8")
        record_from_row({**named, "captions": {}}, folder)
    except (FieldError, UnicodeEncodeError):
        return {}
    return named


@contextmanager
def _json_lines(output: Path) -> Iterator[Write]:
    with (
        replaced_when_complete(output) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as file,
    ):

        def write(rows: list[Row], _vectors: NDArray[np.float32] | None) -> None:
            for row in rows:
                date = row["date"].isoformat() if row["date"] else None
                file.write(json.dumps({**row, "date": date}, ensure_ascii=False) + "\n")

        yield write


@contextmanager
def _vectors(output: Path, lines: int, dimension: int) -> Iterator[Write]:
    """A ``.npy`` file of (lines, dimension) float32, written from its start.

    Not through a memory map: where the disk is full, that kills the process.
    """
    with replaced_when_complete(output) as temporary, temporary.open("wb") as file:
        shape = {"descr": "<f4", "fortran_order": False, "shape": (lines, dimension)}
        np.lib.format.write_array_header_1_0(file, shape)

        def write(_rows: list[Row], vectors: NDArray[np.float32] | None) -> None:
            if vectors is not None:
                file.write(vectors.astype("<f4", copy=False).tobytes())

        yield write


@contextmanager
def _parquet(output: Path, dimension: int | None) -> Iterator[Write]:
    import pyarrow as pa
    from pyarrow import parquet

    schema = _schema(dimension)
    with (
        replaced_when_complete(output) as temporary,
        parquet.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):

        def write(rows: list[Row], vectors: NDArray[np.float32] | None) -> None:
            columns: Row = {name: [row.get(name) for row in rows] for name in schema.names}
            columns["captions"] = [list(captions.items()) for captions in columns["captions"]]
            if vectors is not None:
                flat = pa.array(vectors.reshape(-1))
                columns["embedding"] = pa.FixedSizeListArray.from_arrays(flat, dimension)
            writer.write_table(pa.table(columns, schema=schema))

        yield write


def _schema(dimension: int | None) -> pa.Schema:
    import pyarrow as pa

    text = pa.string()
    types = {"id": text, "image": text, "video": text}
    types |= {"captions": pa.map_(text, pa.list_(text)), "path": text, "size": pa.int64()}
    types |= {"date": pa.timestamp("s"), "hash": text, "width": pa.int32(), "height": pa.int32()}
    types |= dict.fromkeys(PLACE_COLUMNS, pa.float64())
    if dimension is not None:
        types |= {"moment": pa.float64(), "embedding": pa.list_(pa.float32(), dimension)}
    return pa.schema(list(types.items()))
