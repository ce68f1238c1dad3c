"""Bringing collections that an earlier Polyglance made to the present format; nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.files import replaced_when_complete
from polyglance.data.locking import only_writer
from polyglance.errors import CollectionError
from polyglance.search.caption_words import words_of_captions
from polyglance.search.lance import connect, writing
from polyglance.search.schema import INFO_FILE, PICTURES, SHOWN_COLUMNS, shown
from polyglance.search.text_index import build_text_index

if TYPE_CHECKING:
    import pyarrow as pa

# LanceDB joins what is filled with whole rows, embeddings and all, in 300 MB.
ROWS_AT_ONCE = 20_000

Change = Callable[[Any], None]
Migration = Callable[[Path, dict[str, Any]], dict[str, Any]]


def to_format(number: int) -> Callable[[Change], Migration]:
    """Make a migration of a change of the table ``pictures``, done by the one writer there is.

    A migration takes the folder of a collection and the content of its ``collection.json``, and
    returns the new content, which has been written. It computes no embedding again. Where another
    process is writing, or the folder cannot be written to, it raises :class:`CollectionError`.
    """

    def made(change: Change) -> Migration:
        @wraps(change)
        def migrate(folder: Path, content: dict[str, Any]) -> dict[str, Any]:
            with only_writer(folder, CollectionError), writing(folder):
                change(connect(folder).open_table(PICTURES))
                return _with_format(folder, content, number)

        return migrate

    return made


@to_format(2)
def add_moments(table: Any) -> None:
    """From format 1: the columns ``file`` and ``moment``, as pictures have them.

    The vector index stays. Interrupted, it begins anew.
    """
    if "file" not in table.schema.names:
        table.add_columns({"file": "id", "moment": "CAST(NULL AS DOUBLE)"})


@to_format(3)
def add_words(table: Any) -> None:
    """From format 2: the column ``words`` and the full-text index over it.

    Interrupted, it goes on from there.
    """
    if "words" not in table.schema.names:
        table.add_columns({"words": "CAST(NULL AS STRING)"})
    waiting = "id = file AND captions IS NOT NULL AND words IS NULL"
    _fill(table, "words", _words, of=("id", "captions"), where=waiting)
    build_text_index(table)
    table.optimize()  # rows that were filled go back into the vector index


@to_format(4)
def add_places(table: Any) -> None:
    """From format 3: the columns of places, empty; ``polyglance index`` fills them.

    The indices stay. Interrupted, it begins anew.
    """
    if "located" not in table.schema.names:
        unknown = "CAST(NULL AS DOUBLE)"
        table.add_columns({"latitude": unknown, "longitude": unknown, "located": "false"})


@to_format(5)
def add_shown(table: Any) -> None:
    """From format 4: the column ``shown``.

    Interrupted, it goes on from there.
    """
    if "shown" not in table.schema.names:
        table.add_columns({"shown": "''"})
    _fill(table, "shown", shown, of=SHOWN_COLUMNS, where="shown = ''")
    table.optimize()  # rows that were filled go back into the indices


def _words(row: Mapping[str, Any]) -> str | None:
    return words_of_captions(json.loads(row["captions"]))


def _fill(
    table: Any,
    column: str,
    told: Callable[[Mapping[str, Any]], str | None],
    *,
    of: Sequence[str],
    where: str,
) -> None:
    """Fill a column of the rows that a condition selects with what other columns tell.

    Args:
        table: ``pictures``.
        column: name.
        told: what it holds of a row with the columns ``of``.
        of: names, ``id`` among them.
        where: in SQL.
    """
    import pyarrow as pa

    for rows in _tables(table.search().where(where).select(list(of)).to_batches()):
        filled = {"id": rows["id"], column: pa.array(map(told, rows.to_pylist()), pa.string())}
        table.merge_insert("id").when_matched_update_all().execute(pa.table(filled))


def _tables(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches, which may be small, as tables of ``ROWS_AT_ONCE`` rows or more."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= ROWS_AT_ONCE:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _with_format(folder: Path, content: dict[str, Any], number: int) -> dict[str, Any]:
    """Write the description last: what is interrupted before has the older format still."""
    content = {**content, "format": number}
    with replaced_when_complete(folder / INFO_FILE) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    return content
