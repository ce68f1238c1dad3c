"""Noticing that pictures of a folder change, and telling when they have come to rest.

The operating system says what changes (by watchfiles, the extra ``watch``); what to do about it,
the indexer finds out by itself. Here is decided when: not while a burst of changes goes on, and not
with files that are still being written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from polyglance.data.decode import IMAGE_SUFFIXES
from polyglance.data.video import VIDEO_SUFFIXES
from polyglance.errors import CollectionError

QUIET = 1.0  # seconds without a change end a burst; so long must a file's size and time stand still
PATIENCE = 30.0  # seconds after which an endless burst is looked at all the same

MISSING = "watching a folder needs the extra 'polyglance[watch]': pip install 'polyglance[watch]'"


def updates(source: Path, *, collection: Path) -> Iterator[frozenset[str]]:
    """Yield whenever the collection should be brought up to date, at first at once.

    What changes while the caller is at it is not missed: it is told afterwards.

    Args:
        source: a folder, or a manifest, whose pictures are looked for below its own folder.
        collection: its folder; what happens in it is no reason.

    Yields:
        Paths of the files that are still being written, relative to the folder. They are told
        again when they are done.

    Raises:
        CollectionError: watchfiles is not installed, there is nothing to watch, or it has vanished.
    """
    watch = _watcher()
    root = (source if source.is_dir() else source.parent).resolve()
    _require(root)
    milliseconds = int(QUIET * 1000)
    bursts = watch(
        root,
        watch_filter=_filter(root, {collection.resolve()}, {source.resolve()}),
        step=milliseconds,
        debounce=int(PATIENCE * 1000),
        rust_timeout=milliseconds,
        yield_on_timeout=True,
    )
    next(bursts)  # from here on nothing is missed
    yield frozenset()
    restless: set[Path] = set()
    for changes in bursts:
        _require(root)
        touched = restless | {Path(path) for _, path in changes}
        restless = still_written(touched)
        if touched - restless:
            yield frozenset(path.relative_to(root).as_posix() for path in restless)


def still_written(paths: Iterable[Path]) -> set[Path]:
    """Those whose size or time is another one after a while; takes :data:`QUIET` seconds."""
    before = {path: _look(path) for path in paths}
    if before:
        time.sleep(QUIET)
    return {path for path, look in before.items() if _look(path) != look}


def require_watcher() -> None:
    """Refuse at once what could not be done after hours of indexing.

    Raises:
        CollectionError: watchfiles is not installed.
    """
    _watcher()


def _watcher() -> Callable[..., Iterator[set[tuple[Any, str]]]]:
    try:
        from watchfiles import watch
    except ImportError:
        raise CollectionError(MISSING) from None
    return watch


def _require(root: Path) -> None:
    if not root.is_dir():
        raise CollectionError(f"{root} is not there; nothing is left to watch")


def _filter(root: Path, passed_over: set[Path], wanted: set[Path]) -> Callable[[object, str], bool]:
    """What the indexer would look at: pictures, videos, folders, the manifest; nothing hidden."""

    def counts(_change: object, name: str) -> bool:
        path = Path(name)
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            return False
        if not passed_over.isdisjoint((path, *path.parents)):
            return False
        suffix = path.suffix.lower()
        is_shown = suffix in IMAGE_SUFFIXES or suffix in VIDEO_SUFFIXES
        return is_shown or path in wanted or not path.is_file()  # a folder, or one that is gone

    return counts


def _look(path: Path) -> tuple[int, int] | None:
    """Size and time of a file; ``None`` for a folder, and for what is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return None if path.is_dir() else (status.st_size, status.st_mtime_ns)
