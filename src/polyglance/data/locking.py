"""One writer a folder: a lock that the operating system takes back when its holder dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from polyglance.errors import PolyglanceError

LOCK_FILE = "writer.lock"


@contextmanager
def only_writer(folder: Path, error: type[PolyglanceError]) -> Iterator[None]:
    """Hold the right to write into a folder, which is made where it is missing.

    The lock belongs to the open file, not to the file's presence: after a kill −9 nothing is left
    to be cleaned up. Readers never wait.

    Args:
        folder: to write into.
        error: to raise where another process holds the right, or the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / LOCK_FILE).open("a+b")
    except OSError as problem:
        raise error(f"{folder}: cannot write there: {problem.strerror}") from None
    with handle:
        if not _acquire(handle):
            handle.seek(0)
            holder = handle.read(32).decode("ascii", "replace").strip() or "another process"
            raise error(f"{folder} is being written by {holder}; wait until it is done, or stop it")
        handle.truncate(0)
        handle.write(f"process {os.getpid()}".encode())
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)
            _release(handle)


if sys.platform == "win32":
    import msvcrt

    # A byte far behind the content is locked, so that others can still read who holds it.
    _LOCKED_BYTE = 1 << 20

    def _acquire(handle: IO[bytes]) -> bool:
        handle.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _release(handle: IO[bytes]) -> None:
        handle.seek(_LOCKED_BYTE)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _acquire(handle: IO[bytes]) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _release(handle: IO[bytes]) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)
