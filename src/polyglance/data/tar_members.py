"""Files where they lie, in folders or in tar archives.

Large collections come as archives of some thousand pictures each (WebDataset). A path that goes on
behind an archive, ``shards/00000.tar/000012.jpg``, names a member of it: everything that reads a
picture by its path reads it from there, and nothing is unpacked. Archives are plain ones, since a
compressed one can only be read from its beginning.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

ARCHIVE_SUFFIX = ".tar"
_ARCHIVES = 64  # whose members are remembered; some 2 MB each of ten thousand


class FileStatus(NamedTuple):
    """What is known of a file without reading it.

    Attributes:
        size: in bytes.
        mtime_ns: when it was changed last; of a member, its archive.
        is_regular: no folder, pipe or device.
    """

    size: int
    mtime_ns: int
    is_regular: bool


class Member(NamedTuple):
    """Where a member's bytes lie in its archive."""

    start: int
    size: int


def file_status(path: Path) -> FileStatus:
    """Size and time of a file or a member.

    Raises:
        OSError: it is not there, or out of reach.
    """
    try:
        return _looked(path.stat())
    except (FileNotFoundError, NotADirectoryError):
        archive, member = _found(path)
        return FileStatus(member.size, archive.stat().st_mtime_ns, True)


def exists(path: Path) -> bool:
    """Whether a file, a folder or a member is there."""
    try:
        file_status(path)
    except OSError:
        return False
    return True


def open_file(path: Path) -> io.BufferedReader:
    """Open a file or a member for reading.

    Raises:
        OSError: it is not there, or out of reach. So is, while it is read, a member whose archive
            is cut short.
    """
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        return io.BufferedReader(_Part(*_found(path)))


def open_status(file: IO[bytes]) -> FileStatus:
    """Of what :func:`open_file` has opened, whatever has become of its path since."""
    raw = getattr(file, "raw", None)
    if isinstance(raw, _Part):
        return raw.status()
    return _looked(os.fstat(file.fileno()))


def members(archive: Path) -> Mapping[str, Member]:
    """The files in an archive, by name, in their order.

    What an archive that was cut short no longer holds whole is not among them, nor what has a name
    that leads out of it.

    Raises:
        OSError: it cannot be read, or is no plain tar archive.
    """
    status = archive.stat()
    return _members(archive, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=_ARCHIVES)
def _members(archive: Path, size: int, _mtime_ns: int) -> dict[str, Member]:
    """See :func:`members`; size and time are those that the archive had."""
    found = {}
    with _plain(archive) as opened, suppress(tarfile.TarError):  # it ends before its end
        for each in opened:
            name = PurePosixPath(each.name)  # ``./a.jpg`` is a.jpg
            leads_out = name.is_absolute() or ".." in name.parts
            if each.isreg() and not leads_out and each.offset_data + each.size <= size:
                found[name.as_posix()] = Member(each.offset_data, each.size)
    return found


def _plain(archive: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(archive, "r:")
    except tarfile.TarError:
        raise OSError(errno.EINVAL, "not an uncompressed tar archive", str(archive)) from None


def _found(path: Path) -> tuple[Path, Member]:
    """The archive that a path leads into, and the member.

    Raises:
        OSError: it leads into none, or there is no such member.
    """
    for archive in path.parents:
        if archive.suffix.lower() == ARCHIVE_SUFFIX and archive.is_file():
            member = members(archive).get(path.relative_to(archive).as_posix())
            if member is not None:
                return archive, member
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


class _Part(io.RawIOBase):
    """The bytes of one member."""

    def __init__(self, archive: Path, member: Member) -> None:
        self._file = archive.open("rb", buffering=0)
        self._member = member
        self._place = 0

    def status(self) -> FileStatus:
        archive = os.fstat(self._file.fileno())
        return FileStatus(self._member.size, archive.st_mtime_ns, True)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._member.size}[whence]
        if start + offset < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._place = start + offset
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), max(self._member.size - self._place, 0))
        self._file.seek(self._member.start + self._place)
        got = self._file.readinto(memoryview(buffer)[:wanted])
        if wanted and not got:
            raise OSError(errno.EIO, "the archive is cut short")
        self._place += got
        return got

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _looked(status: os.stat_result) -> FileStatus:
    return FileStatus(status.st_size, status.st_mtime_ns, stat.S_ISREG(status.st_mode))
