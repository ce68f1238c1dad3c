"""One writer a folder: locks that the operating system takes back when their holder dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from polyglance.errors import PolyglanceError

LOCK_FILE, TURN_FILE = "writer.lock", "turn.lock"
SECONDS_BETWEEN_LOOKS = 0.5


@contextmanager
def only_writer(folder: Path, error: type[PolyglanceError]) -> Iterator[None]:
    """Hold the right to write into a folder, which is made where it is missing.

    The lock belongs to the open file, not to the file's presence: after a kill −9 nothing is left
    to be cleaned up. Readers never wait.

    Args:
        folder: to write into.
        error: to raise where another process holds the right, or the folder cannot be written to.
    """
    with _opened(folder / LOCK_FILE, error) as handle:
        if not _acquire(handle):
            raise error(
                f"{folder} is being written by {_holder(handle)}; wait until it is done, or stop it"
            )
        with _held(handle):
            yield


@contextmanager
def in_turn(folder: Path, error: type[PolyglanceError]) -> Iterator[None]:
    """Wait until no other process is in its turn with a folder; who waits says so, once.

    For work that runs side by side want done once, such as filling a store: the second finds
    nothing left to do. It does not keep writers out.

    Args:
        folder: made where it is missing.
        error: to raise where the folder cannot be written to.
    """
    with _opened(folder / TURN_FILE, error) as handle:
        told = False
        while not _acquire(handle):
            if not told:
                print(f"waiting for {_holder(handle)}, which fills {folder}", file=sys.stderr)
            told = True
            time.sleep(SECONDS_BETWEEN_LOOKS)
        with _held(handle):
            yield


def _opened(path: Path, error: type[PolyglanceError]) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+b")
    except OSError as problem:
        raise error(f"{path.parent}: cannot write there: {problem.strerror}") from None


def _holder(handle: IO[bytes]) -> str:
    handle.seek(0)
    return handle.read(32).decode("ascii", "replace").strip() or "another process"


@contextmanager
def _held(handle: IO[bytes]) -> Iterator[None]:
    """Leave our number in a file that is locked, and give it back."""
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
