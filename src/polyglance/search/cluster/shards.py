"""Shards: some files that one worker takes to their embeddings, and what came of them on disk.

A shard's file is there whole or not at all, so that what was finished survives whoever finished it
and whoever waited for it. It is Arrow, as the tables are; reading it runs no code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyglance.data.files import replaced_when_complete
from polyglance.data.place import Place
from polyglance.search.embed import Embedded, Familiar, Outcomes, Unreadable
from polyglance.search.parallel import batched
from polyglance.search.scan import Found

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIX = ".arrow"
# Some seconds of work: little is lost with a worker, and no worker is long alone at the end.
BATCHES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Files for one worker, and the name of the file that tells what came of them."""

    name: str
    files: Sequence[Found]

    def __str__(self) -> str:
        return f"{self.files[0].path} … {self.files[-1].path}"


def cut(files: Sequence[Found], *, batch_size: int, run: str) -> list[Shard]:
    """Cut files into shards of whole batches: each is encoded in the company it has on one machine.

    A batch with a video, which has hundreds of frames, is a shard's last.

    Args:
        files: in the order of the scan.
        batch_size: files encoded at once.
        run: begins the names; other runs have others.
    """
    shards: list[list[Found]] = [[]]
    batches = 0
    for batch in batched(files, batch_size):
        shards[-1] += batch
        batches += BATCHES if any(file.is_video for file in batch) else 1
        if batches >= BATCHES:
            shards.append([])
            batches = 0
    return [
        Shard(name=f"{run}-{number:06}{SUFFIX}", files=shard)
        for number, shard in enumerate(shards)
        if shard
    ]


def write_shard(path: Path, outcomes: Outcomes, *, fingerprint: str) -> None:
    """Write what came of files; captions, which the indexer knows, are left out.

    Args:
        path: of the shard's file.
        outcomes: one a file.
        fingerprint: of the model.

    Raises:
        OSError: it cannot be written.
    """
    import pyarrow as pa

    schema = _schema(fingerprint)
    table = pa.Table.from_pylist([_row(each) for each in outcomes], schema=schema)
    with (
        replaced_when_complete(path) as temporary,
        temporary.open("wb") as handle,
        pa.ipc.new_file(handle, schema) as writer,
    ):
        writer.write_table(table)


def read_shard(path: Path, *, fingerprint: str) -> Outcomes:
    """Read what :func:`write_shard` wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, or of another model.
    """
    import pyarrow as pa

    with path.open("rb") as handle:
        table = pa.ipc.open_file(handle).read_all()
    if not table.schema.equals(_schema(fingerprint), check_metadata=True):
        raise ValueError(f"{path} is no shard of this model")
    embeddings = [scalar.values for scalar in table["embeddings"]]
    rows = table.drop_columns("embeddings").to_pylist()
    return [_outcome(row, values) for row, values in zip(rows, embeddings, strict=True)]


def with_captions(outcomes: Outcomes, files: Mapping[str, Found]) -> Outcomes:
    """Give files back what the shard left out, from those that the scan found, by path."""
    return [each._replace(file=_same_file(each.file, files[each.file.path])) for each in outcomes]


def _same_file(read: Found, found: Found) -> Found:
    """The file with the size and time that it had when it was read."""
    return replace(found, size=read.size, mtime_ns=read.mtime_ns)


def _schema(fingerprint: str) -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("path", pa.binary(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),
            pa.field("mtime_ns", pa.int64(), nullable=False),
            pa.field("content", pa.string()),
            pa.field("width", pa.int32()),
            pa.field("height", pa.int32()),
            pa.field("taken", pa.timestamp("us")),
            pa.field("latitude", pa.float64()),
            pa.field("longitude", pa.float64()),
            pa.field("embeddings", pa.list_(pa.float32())),
            pa.field("moments", pa.list_(pa.float64())),
            pa.field("reason", pa.string()),
            pa.field("for_good", pa.bool_()),
        ],
        metadata={"fingerprint": fingerprint},
    )


def _row(each: Embedded | Familiar | Unreadable) -> dict[str, Any]:
    """What is known of a file; columns that do not concern it are null."""
    file = each.file
    row = {"path": os.fsencode(file.path), "size": file.size, "mtime_ns": file.mtime_ns}
    told = {name: value for name, value in each._asdict().items() if name not in {"file", "place"}}
    if isinstance(each, Embedded):
        told["embeddings"] = each.embeddings.reshape(-1)
        told |= {} if each.place is None else each.place._asdict()
    return row | told


def _outcome(row: dict[str, Any], values: pa.Array | None) -> Embedded | Familiar | Unreadable:
    file = Found(path=os.fsdecode(row["path"]), size=row["size"], mtime_ns=row["mtime_ns"])
    if row["reason"] is not None:
        return Unreadable(file, row["reason"], row["for_good"])
    if values is None:
        return Familiar(file, row["content"])
    moments = None if row["moments"] is None else tuple(row["moments"])
    embeddings = np.asarray(values, dtype=np.float32)
    return Embedded(
        file,
        row["content"],
        row["width"],
        row["height"],
        row["taken"],
        None if row["latitude"] is None else Place(row["latitude"], row["longitude"]),
        embeddings.reshape(1 if moments is None else len(moments), -1),  # (rows, dimension)
        moments,
    )
