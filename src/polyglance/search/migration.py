"""Bringing collections that an earlier Polyglance made to the present format; nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from polyglance.data.files import replaced_when_complete
from polyglance.data.locking import only_writer
from polyglance.errors import CollectionError
from polyglance.search.caption_words import words_of_captions
from polyglance.search.lance import connect, writing
from polyglance.search.schema import INFO_FILE, PICTURES
from polyglance.search.text_index import build_text_index

ROWS_AT_ONCE = 10_000


def add_moments(folder: Path, content: dict[str, Any]) -> dict[str, Any]:
    """From format 1 to 2: the columns ``file`` and ``moment``, as pictures have them.

    No embedding is computed again, and the vector index stays. Interrupted, it begins anew.

    Args:
        folder: of the collection.
        content: of its ``collection.json``.

    Returns:
        The new content, which has been written.

    Raises:
        CollectionError: another process is writing, or the folder cannot be written to.
    """
    with only_writer(folder, CollectionError), writing(folder):
        table = connect(folder).open_table(PICTURES)
        if "file" not in table.schema.names:
            table.add_columns({"file": "id", "moment": "CAST(NULL AS DOUBLE)"})
        return _with_format(folder, content, 2)


def add_words(folder: Path, content: dict[str, Any]) -> dict[str, Any]:
    """From format 2 to 3: the column ``words`` and the full-text index over it.

    No embedding is computed again. Interrupted, it goes on from there.

    Args:
        folder: of the collection.
        content: of its ``collection.json``.

    Returns:
        The new content, which has been written.

    Raises:
        CollectionError: another process is writing, or the folder cannot be written to.
    """
    import pyarrow as pa

    with only_writer(folder, CollectionError), writing(folder):
        table = connect(folder).open_table(PICTURES)
        if "words" not in table.schema.names:
            table.add_columns({"words": "CAST(NULL AS STRING)"})
        waiting = "id = file AND captions IS NOT NULL AND words IS NULL"
        rows = table.search().where(waiting).select(["id", "captions"]).to_arrow()
        for batch in rows.to_batches(max_chunksize=ROWS_AT_ONCE):
            words = [words_of_captions(json.loads(each)) for each in batch["captions"].to_pylist()]
            filled = pa.table({"id": batch["id"], "words": pa.array(words, pa.string())})
            table.merge_insert("id").when_matched_update_all().execute(filled)
        build_text_index(table)
        table.optimize()  # rows that were filled go back into the vector index
        return _with_format(folder, content, 3)


def add_places(folder: Path, content: dict[str, Any]) -> dict[str, Any]:
    """From format 3 to 4: the columns of places, empty: ``polyglance index`` fills them.

    No embedding is computed again, and the indices stay. Interrupted, it begins anew.

    Args:
        folder: of the collection.
        content: of its ``collection.json``.

    Returns:
        The new content, which has been written.

    Raises:
        CollectionError: another process is writing, or the folder cannot be written to.
    """
    with only_writer(folder, CollectionError), writing(folder):
        table = connect(folder).open_table(PICTURES)
        if "located" not in table.schema.names:
            unknown = "CAST(NULL AS DOUBLE)"
            table.add_columns({"latitude": unknown, "longitude": unknown, "located": "false"})
        return _with_format(folder, content, 4)


def _with_format(folder: Path, content: dict[str, Any], number: int) -> dict[str, Any]:
    """Write the description last: what is interrupted before has the older format still."""
    content = {**content, "format": number}
    with replaced_when_complete(folder / INFO_FILE) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    return content
