"""When it is worth putting the files of a collection's pictures in order.

LanceDB's ``optimize()`` does all or nothing: it joins files, takes rows that came since into the
indices, and drops old states. Files of less than a million rows it writes anew for a single row
more, and keeps what was there before for a while. So it waits until much has changed. Until then
rows that came since are found by comparing each, deleted ones are passed over, and states stay.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from polyglance.search.text_index import text_index

# A reader that opened an older version may still be at it for so long.
KEEP_OLD_VERSIONS = timedelta(hours=1)
# Queries slow down with the rows that came and were deleted, from so many or such a share on.
MOST_CHANGED, SHARE_CHANGED = 10_000, 0.05
# Old states that are kept, and the size of all that is, in terms of what the newest one needs.
MOST_VERSIONS, MOST_KEPT = 100, 2


def is_due(pictures: Any) -> bool:
    """Whether enough has changed, or is kept, since that table was last put in order."""
    versions = pictures.list_versions()
    newest = max(versions, key=lambda each: each["version"])["metadata"]
    index = text_index(pictures)  # which knows the rows that came, and since when
    changed = int(newest["total_deletion_file_rows"])
    changed += 0 if index is None else index.num_unindexed_rows
    if changed > min(MOST_CHANGED, SHARE_CHANGED * int(newest["total_data_file_rows"])):
        return True
    since = None if index is None else index.created_at
    if since is None or datetime.now(UTC) - since < KEEP_OLD_VERSIONS:
        return False  # nothing of size would be dropped yet
    files = (path for path in Path(pictures.uri).rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in files)
    return len(versions) > MOST_VERSIONS or size > MOST_KEPT * pictures.stats()["total_bytes"]
