"""Reading downloaded packages in memory: nothing is unpacked to disk, nothing is executed."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from polyglance.errors import WeightsError

LARGEST_MEMBER = 512 * 2**20
LARGEST_TOTAL = 2 * 2**30

Select = Callable[[str], bool]


def members(archive: Path, select: Select) -> Iterator[tuple[str, bytes]]:
    """The regular files of a ``.tgz``, ``.whl`` or ``.deb`` whose name ``select`` accepts.

    Args:
        archive: the downloaded file.
        select: takes a member's path inside the archive.

    Yields:
        Path inside the archive and content.

    Raises:
        WeightsError: a path leads out of the archive, a member or the whole is implausibly large,
            or the archive is damaged.
    """
    readers = {".whl": _zip_members, ".tgz": _tar_members, ".deb": _deb_members}
    total = 0
    try:
        for name, size, read in readers[archive.suffix](archive):
            _check_name(archive, name)
            total += size
            if size > LARGEST_MEMBER or total > LARGEST_TOTAL:
                raise WeightsError(f"{archive.name}: {name} unpacks to more than is plausible")
            if select(name):
                yield name, read()
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise WeightsError(f"{archive.name} is damaged ({error}); fetch it again") from error


_Member = tuple[str, int, Callable[[], bytes]]


def _check_name(archive: Path, name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise WeightsError(f"{archive.name} holds a path that leads out of it: {name!r}")


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            if not info.is_dir():
                yield info.filename, info.file_size, partial(file.read, info)


def _tar_members(archive: Path) -> Iterator[_Member]:
    with archive.open("rb") as stream:
        yield from _tar_stream(stream, "r|gz")


def _deb_members(archive: Path) -> Iterator[_Member]:
    """Through ``dpkg-deb``, which every system that can fetch a Debian package has."""
    import subprocess

    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101
        yield from _tar_stream(process.stdout, "r|")
        while process.stdout.read(2**20):  # the padding after the archive: let it end in peace
            pass


def _tar_stream(stream: IO[bytes], mode: Literal["r|", "r|gz"]) -> Iterator[_Member]:
    """One pass, in the archive's order; links and devices are passed over."""
    with tarfile.open(fileobj=stream, mode=mode) as file:
        for info in file:
            if info.isfile() and (content := file.extractfile(info)) is not None:
                yield info.name, info.size, content.read
