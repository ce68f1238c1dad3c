"""Files that a command writes at its end; what would keep it from that is told at its start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from polyglance.errors import ConfigError


def require_file(option: str, path: Path) -> None:
    """Refuse a file that could not be written after the work.

    Args:
        option: that names it, for the message.
        path: may exist; folders that are missing will be made.

    Raises:
        ConfigError: it is a folder, or nothing can be written where it would lie.
    """
    with writing(f"{option} {path}"):
        if path.is_dir():
            raise ConfigError(f"{option} {path}: a folder; name a file")
        _write_nothing(path.absolute().parent)


def require_folder(option: str, path: Path) -> None:
    """Refuse a folder that could not be filled after the work; see :func:`require_file`."""
    with writing(f"{option} {path}"):
        if path.exists() and not path.is_dir():
            raise ConfigError(f"{option} {path}: a file; name a folder")
        _write_nothing(path.absolute())


@contextmanager
def writing(what: Path | str) -> Iterator[None]:
    """Whatever keeps the block from writing ``what`` is a `ConfigError` that says so."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{what}: cannot be written: {error.strerror or error}") from None


def _write_nothing(folder: Path) -> None:
    """As permissions alone do not tell of a disk that can only be read."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    with TemporaryFile(dir=there):
        pass
