"""Bringing collections that an earlier Polyglance made to the present format; nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from polyglance.data.files import replaced_when_complete
from polyglance.data.locking import only_writer
from polyglance.errors import CollectionError
from polyglance.search.lance import connect, writing
from polyglance.search.schema import INFO_FILE, PICTURES


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
        content = {**content, "format": 2}
        with replaced_when_complete(folder / INFO_FILE) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    return content
