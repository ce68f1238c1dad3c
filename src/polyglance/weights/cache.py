"""The user's cache: whole folders, installed in one step or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RECORD = "asset.json"  # written last into a converted folder: what it was made from


def cache_folder() -> Path:
    """Where weights and samples live.

    ``POLYGLANCE_CACHE``, else ``XDG_CACHE_HOME/polyglance``, else ``~/.cache/polyglance``.
    """
    if explicit := os.environ.get("POLYGLANCE_CACHE"):
        return Path(explicit).expanduser()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared).expanduser() / "polyglance"
    return Path("~/.cache/polyglance").expanduser()


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_record(folder: Path) -> dict[str, Any] | None:
    """What an installed folder was made from; ``None`` where nothing whole is installed."""
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def fingerprint(folder: Path) -> str:
    """Hex SHA-256 over the names and contents of everything installed in ``folder``.

    Raises:
        FileNotFoundError: nothing whole is installed there.
    """
    record = read_record(folder)
    if record is None:
        raise FileNotFoundError(f"{folder}: nothing installed here (no {RECORD})")
    return str(record["fingerprint"])


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the cache's lock for ``name``: a second process waits instead of fetching it again."""
    from filelock import FileLock

    locks = cache_folder() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{name}.lock"):
        yield


@contextmanager
def installing(target: Path, source: dict[str, Any]) -> Iterator[Path]:
    """Fill a new folder that becomes ``target`` in one rename when the block ends well.

    The content is hashed and forced to disk first, so a folder that carries its record is whole
    even after a power cut. An older ``target`` is replaced; a block that raises leaves it alone.

    Args:
        target: the folder to install.
        source: what goes into its record beside the fingerprint.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for leftover in target.parent.glob(f".{target.name}.*"):  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield folder
        _seal(folder, source)
        if target.exists():
            target.rename(folder.with_name(folder.name + ".old"))
        folder.chmod(0o755)
        folder.rename(target)
    finally:
        for leftover in target.parent.glob(f"{folder.name}*"):
            shutil.rmtree(leftover, ignore_errors=True)


def _seal(folder: Path, source: dict[str, Any]) -> None:
    """Hash and flush every file of ``folder``, then write its record."""
    digests: dict[str, str] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digests[path.relative_to(folder).as_posix()] = file_digest(path)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    lines = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    record = {**source, "fingerprint": hashlib.sha256(lines.encode()).hexdigest()}
    with (folder / RECORD).open("w", encoding="utf-8") as file:
        json.dump(record, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
