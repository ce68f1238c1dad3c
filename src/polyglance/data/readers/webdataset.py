"""WebDataset: tar archives in which files of one sample lie side by side under one name.

``000012.jpg``, ``000012.txt`` and ``000012.json`` are one sample: what stands before the first full
stop of the file's name is its key, what stands behind says what it is
(https://github.com/webdataset/webdataset; img2dataset writes such archives). Pictures are read from
the archives, see :mod:`polyglance.data.tar_members`.

Captions: ``000012.txt`` is one caption in the language that is told, ``000012.de.txt`` one in
German; where there is no text, ``caption`` in ``000012.json`` is one in the language that is told.
``captions`` there are lists by language tag, as in a manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from polyglance.data.decode import IMAGE_SUFFIXES
from polyglance.data.language import is_language_tag
from polyglance.data.readers.common import (
    id_below,
    images_folder,
    language_of_plain_captions,
)
from polyglance.data.readers.options import ReaderOptions
from polyglance.data.record import Record
from polyglance.data.tar_members import ARCHIVE_SUFFIX, members, open_file
from polyglance.data.text import normalise_text
from polyglance.data.video import VIDEO_SUFFIXES
from polyglance.errors import ManifestError

NOT_TEXT = "neither UTF-8 text nor JSON of UTF-8"


def read_webdataset(sources: Sequence[Path], options: ReaderOptions) -> Iterator[Record]:
    """Read archives, or all archives of folders, in the order of their names.

    Samples without a picture or video are passed over, and so are hidden names.

    Args:
        sources: ``.tar`` files, or folders that hold them.
        options: ``languages``: the language of plain captions; ``rename``; ``split``.

    Yields:
        A record for each sample, with the path of its picture below ``images`` (the folder of the
        first source) as id.

    Raises:
        ManifestError: an archive cannot be read, nothing is in any, or the language is not told.
    """
    base = images_folder(sources, options)
    found = 0
    for archive in _archives(sources):
        for picture, texts in _samples(archive):
            found += 1
            is_video = picture.suffix.lower() in VIDEO_SUFFIXES
            yield Record(
                id=id_below(base, picture),
                image=None if is_video else picture,
                video=picture if is_video else None,
                captions=_captions(texts, options),
                split=options.split,
            )
    if not found:
        raise ManifestError(f"{sources[0]}: no archive (.tar) with pictures in it")


def _archives(sources: Sequence[Path]) -> Iterator[Path]:
    for source in sources:
        path = source.resolve()
        if path.is_dir():
            yield from sorted(path.glob(f"*{ARCHIVE_SUFFIX}"))
        elif path.suffix.lower() == ARCHIVE_SUFFIX:
            yield path
        else:
            raise ManifestError(f"{source}: not a {ARCHIVE_SUFFIX} file, nor a folder of some")


def _samples(archive: Path) -> Iterator[tuple[Path, dict[str, Path]]]:
    """The picture or video of each sample, and its other files by what they are."""
    try:
        names = members(archive)
    except OSError as error:
        raise ManifestError(f"{archive}: cannot be read: {error.strerror}") from None
    samples: dict[str, dict[str, Path]] = {}
    for name in names:
        path = PurePosixPath(name)
        key, _, kind = path.name.partition(".")
        if key:
            samples.setdefault(str(path.parent / key), {})[kind.lower()] = archive / name
    for files in samples.values():
        for kind in sorted(files, key=lambda kind: f".{kind}" in VIDEO_SUFFIXES):  # pictures first
            if f".{kind}" in IMAGE_SUFFIXES or f".{kind}" in VIDEO_SUFFIXES:
                yield files[kind], files
                break


def _captions(files: Mapping[str, Path], options: ReaderOptions) -> dict[str, tuple[str, ...]]:
    told = _json(files["json"]) if "json" in files else {}
    captions = _lists(told, options)
    for kind, path in files.items():
        tag = kind.removesuffix(".txt")
        if tag != kind and is_language_tag(tag) and (text := _one_line(_text(path))):
            captions[options.rename.get(tag, tag)] = (text,)
    plain = _text(files["txt"]) if "txt" in files else told.get("caption")
    if text := _one_line(plain):
        tag = language_of_plain_captions(files.get("txt") or files["json"], options)
        captions.setdefault(tag, (text,))
    return captions


def _lists(told: Mapping[str, object], options: ReaderOptions) -> dict[str, tuple[str, ...]]:
    """``captions``, as far as they are lists of texts by language."""
    given = told.get("captions")
    if not isinstance(given, dict):
        return {}
    lists = {
        options.rename.get(tag, tag): tuple(filter(None, map(_one_line, texts)))
        for tag, texts in given.items()
        if is_language_tag(tag) and isinstance(texts, list)
    }
    return {tag: texts for tag, texts in lists.items() if texts}


def _one_line(text: object) -> str:
    return normalise_text(" ".join(text.split())) if isinstance(text, str) else ""


def _json(path: Path) -> dict[str, object]:
    try:
        told = json.loads(_text(path))
    except (ValueError, RecursionError):
        raise ManifestError(f"{path}: {NOT_TEXT}") from None
    return told if isinstance(told, dict) else {}


def _text(path: Path) -> str:
    """The content of a text member."""
    try:
        with open_file(path) as file:
            return file.read().decode("utf-8-sig")
    except ValueError:
        raise ManifestError(f"{path}: {NOT_TEXT}") from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror}") from None
