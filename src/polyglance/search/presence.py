"""Whether the files of a collection are where they were: there, changed, gone, or out of reach."""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from polyglance.data.tar_members import ARCHIVE_SUFFIX, file_status, members
from polyglance.search.collection import Collection, File


class Presence(StrEnum):
    """What became of a file.

    ``OUT_OF_REACH`` says nothing about the file: its folder is not there or holds nothing at all,
    as where a disk is not mounted, or a link or permission is in the way.
    """

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    GONE = "gone"
    OUT_OF_REACH = "out of reach"


class Looks:
    """Looks for files of a collection; each folder is looked at once.

    Args:
        collection: open for reading.
    """

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self._holds: dict[Path, bool] = {}

    def each(self) -> Iterator[tuple[File, Presence]]:
        """Every file of the collection, and what became of it."""
        for file in self.collection.each_file():
            yield file, self.presence(file)

    def presence(self, file: File) -> Presence:
        """What became of a file, by its size and modification time; it is not opened."""
        path = self.collection.absolute(file.path)
        try:
            status = file_status(path)
        except FileNotFoundError:
            return self._without(path)
        except OSError:
            return Presence.OUT_OF_REACH
        if not status.is_regular:
            return Presence.GONE
        same = (status.size, status.mtime_ns) == (file.size, file.mtime_ns)
        return Presence.UNCHANGED if same else Presence.CHANGED

    def _without(self, path: Path) -> Presence:
        """A file that is not there is gone only if its folder shows that it is the true one."""
        if path.is_symlink() or not self._folder_holds_something(path.parent):
            return Presence.OUT_OF_REACH
        return Presence.GONE

    def _folder_holds_something(self, folder: Path) -> bool:
        if folder not in self._holds:
            self._holds[folder] = _holds_something(folder)
        return self._holds[folder]


def _holds_something(folder: Path) -> bool:
    try:
        if folder.suffix.lower() == ARCHIVE_SUFFIX and not folder.is_dir():
            return bool(members(folder)) if folder.exists() else _holds_something(folder.parent)
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False
