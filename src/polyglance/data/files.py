"""Writing files whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced_when_complete(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` and move it there when the block ends well.

    A reader of ``path`` sees the old file or the new one, never a half. After an error or Ctrl-C
    the old file is untouched and the temporary one is gone.

    Args:
        path: the file to write or overwrite; its folder is made where it is missing.

    Yields:
        A path in the same folder (a rename never crosses file systems), with the same suffix. The
        block must create it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # the rename must not reach the disk before the content
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
