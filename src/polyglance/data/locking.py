"""One writer a folder: a lock that the operating system takes back when its holder dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polyglance.errors import PolyglanceError


@contextmanager
def only_writer(folder: Path, error: type[PolyglanceError]) -> Iterator[None]:
    """Hold the right to write into a folder, which is made where it is missing.

    The lock belongs to an open file, not to the file's presence: a kill −9 leaves nothing behind
    that would have to be removed.

    Args:
        folder: to write into.
        error: to raise where another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("ab") as file:
        try:
            import fcntl
        except ImportError:  # Windows has no such locks; two writers are the user's to avoid
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise error(
                f"{folder}: another process is writing there; wait for it to end, or stop it"
            ) from None
        yield
