"""The one door to LanceDB."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

TABLES_FOLDER = "lance"


def connect(folder: Path) -> Any:
    """Connect to the tables of the collection at ``folder``.

    LanceDB writes notes on its inner workings to stderr, where they would stand between the
    messages that are meant for users; whoever wants them sets ``LANCEDB_LOG=warn``.
    """
    os.environ.setdefault("LANCEDB_LOG", "error")
    import lancedb

    return lancedb.connect(str(folder / TABLES_FOLDER))
