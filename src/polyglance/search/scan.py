"""The pictures and videos that a folder or a manifest holds, without opening any of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from polyglance.data.decode import IMAGE_SUFFIXES
from polyglance.data.tar_members import file_status
from polyglance.data.video import VIDEO_SUFFIXES
from polyglance.errors import CollectionError
from polyglance.search.schema import Captions


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A picture or video file.

    Attributes:
        path: relative to the root with forward slashes, or absolute where it lies outside.
        size: in bytes.
        mtime_ns: in nanoseconds.
        captions: language tag → captions, where a manifest gave some.
        is_video: whether it is to be read as a video.
    """

    path: str
    size: int
    mtime_ns: int
    captions: Captions | None = None
    is_video: bool = False


@dataclass(slots=True, kw_only=True)
class Scan:
    """Everything that was found.

    Attributes:
        root: absolute folder that the paths are relative to.
        pictures: and videos, in a fixed order: by folder, then by name.
        problems: (path, reason) of what could not even be looked at.
        unreachable: those of the problems that say nothing about whether a picture is still there;
            what a collection knows of them is kept. Paths that end in a slash are folders, or links
            that may have led to some.
    """

    root: Path
    pictures: list[Found] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)


def scan(source: str | Path, *, exclude: Path | None = None) -> Scan:
    """Look through a folder, or read a manifest.

    Args:
        source: a folder, or a manifest (``.jsonl`` or ``.parquet``).
        exclude: a folder that is passed over: the collection itself, where it lies inside.

    Raises:
        CollectionError: ``source`` is neither.
        ManifestError: the manifest is malformed.
    """
    path = Path(source)
    if path.is_dir():
        return scan_folder(path, exclude=exclude)
    if path.is_file():
        return scan_manifest(path)
    raise CollectionError(f"{path}: no such folder or manifest; name a folder with pictures")


def scan_folder(folder: Path, *, exclude: Path | None = None) -> Scan:
    """Walk a folder: every file with a picture's or video's suffix that is not hidden.

    Links to files and folders are followed, but every folder is entered once: its own place comes
    before links to it, so loops end and nothing is found twice. Hidden names (``.``) are passed
    over, and with them AppleDouble files (``._name``), which look like pictures and are none.
    """
    result = Scan(root=folder.resolve())
    walk = _Walk(result, exclude.resolve() if exclude else None)
    walk.folder(result.root, "")
    while walk.linked:
        path, name = walk.linked.pop(0)
        walk.folder(path, name)
    return result


def scan_manifest(manifest: Path) -> Scan:
    """A manifest's pictures and videos with their captions; files that are absent are problems."""
    from polyglance.data.manifest import iterate_manifest

    result = Scan(root=manifest.resolve().parent)
    seen: set[str] = set()
    for record in iterate_manifest(manifest):
        if record.file is None:
            continue
        path = _relative(record.file, result.root)
        if path not in seen:
            seen.add(path)
            is_video = record.image is None
            captions = record.captions or None
            _note_file(result, record.file, path, captions=captions, is_video=is_video)
    return result


class _Walk:
    """State of one walk: which folders were entered, and which links are still to be followed."""

    def __init__(self, result: Scan, exclude: Path | None) -> None:
        self.result = result
        self.exclude = exclude
        self.entered: set[tuple[int, int]] = set()
        self.linked: list[tuple[Path, str]] = []

    def folder(self, path: Path, name: str) -> None:
        """Look through ``path``, known as ``name/`` (relative to the root), and below."""
        waiting = [(path, name)]
        while waiting:  # a stack and not recursion: folders may be nested very deeply
            path, name = waiting.pop()
            below = self._files_then_folders(path, name)
            waiting.extend(reversed(below))

    def _files_then_folders(self, path: Path, name: str) -> list[tuple[Path, str]]:
        try:
            status = path.stat()
            if path == self.exclude or not self._first_visit(status):
                return []
            with os.scandir(path) as entries:
                listed = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            if not name:
                raise CollectionError(f"{path}: cannot be read: {error.strerror}") from None
            self.result.problems.append((f"{name}/", f"folder cannot be read: {error.strerror}"))
            self.result.unreachable.append(f"{name}/")
            return []
        folders: list[tuple[Path, str]] = []
        for entry in listed:
            if entry.name.startswith("."):
                continue
            child = f"{name}/{entry.name}" if name else entry.name
            lost = _why_lost(entry)
            if lost is None and entry.is_dir():
                queue = self.linked if entry.is_symlink() else folders
                queue.append((Path(entry.path), child))
                continue
            suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
            if suffix in IMAGE_SUFFIXES or suffix in VIDEO_SUFFIXES:
                is_video = suffix in VIDEO_SUFFIXES
                _note_file(self.result, Path(entry.path), child, is_video=is_video)
            elif lost is not None:
                self.result.problems.append((f"{child}/", lost))
            if lost is not None:  # a folder, for all that is known, whatever its name
                self.result.unreachable.append(f"{child}/")
        return folders

    def _first_visit(self, status: os.stat_result) -> bool:
        key = (status.st_dev, status.st_ino)
        new = key not in self.entered
        self.entered.add(key)
        return new


def _why_lost(entry: os.DirEntry[str]) -> str | None:
    """Why nothing is known of what a link leads to; ``None`` where it is known."""
    try:
        if entry.is_symlink():
            entry.stat()
        else:  # asks the file system where the listing did not say
            entry.is_dir()
    except OSError as error:
        return f"cannot be followed: {error.strerror}"
    return None


def _note_file(
    result: Scan,
    file: Path,
    path: str,
    *,
    captions: Captions | None = None,
    is_video: bool = False,
) -> None:
    try:
        status = file_status(file)
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        reason = "a link to nothing" if gone and file.is_symlink() else str(error.strerror)
        result.problems.append((path, reason))
        if not gone:
            result.unreachable.append(path)
        return
    if not status.is_regular:
        result.problems.append((path, "not a regular file"))
        return
    result.pictures.append(
        Found(
            path=path,
            size=status.size,
            mtime_ns=status.mtime_ns,
            captions=captions,
            is_video=is_video,
        )
    )


def _relative(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix()
