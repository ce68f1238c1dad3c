"""A folder of pictures, with captions in text files beside them where there are any.

For ``dog.jpg``: ``dog.txt`` (or ``dog.jpg.txt``) has one caption a line in the language that is
told, ``dog.de.txt`` one caption a line in German. Tux Paint's stamps put all languages in one
``dog.txt``: the first line in English, then ``de.utf8=Ein Hund.`` and so on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from polyglance.data.decode import IMAGE_SUFFIXES
from polyglance.data.language import is_language_tag
from polyglance.data.readers.common import (
    checked_language,
    id_below,
    images_folder,
    language_of_plain_captions,
    read_text_lines,
)
from polyglance.data.readers.options import ReaderOptions
from polyglance.data.record import Record
from polyglance.data.text import normalise_text
from polyglance.errors import ManifestError

_STAMP_LINE = re.compile(r"([A-Za-z]{2,3}[\w@]*)\.utf8=(.*)")
_SCRIPTS = {"latin": "Latn", "cyrillic": "Cyrl", "devanagari": "Deva", "arabic": "Arab"}


def read_folder(sources: Sequence[Path], options: ReaderOptions) -> Iterator[Record]:
    """Read folders of pictures, in the order of their names.

    Hidden files and folders are passed over, and folders behind links, which may form circles.
    Whether a picture can be decoded is not looked at.

    Args:
        sources: the folders.
        options: ``recursive``; ``languages``: the language of plain sidecar files; ``rename``;
            ``split``.

    Yields:
        A record for each picture, with its path below ``images`` (the folder itself where there is
        one source) as id.

    Raises:
        ManifestError: where a source is no folder, or a sidecar file cannot be understood.
    """
    base = images_folder(sources, options)
    found = 0
    for source in sources:
        if not source.is_dir():
            raise ManifestError(f"{source}: not a folder")
        for image, sidecars in _pictures(source.resolve(), options.recursive):
            found += 1
            yield Record(
                id=id_below(base, image),
                image=image,
                captions=_captions(image, sidecars, options),
                split=options.split,
            )
    if not found:
        raise ManifestError(
            f"{sources[0]}: no pictures inside ({' '.join(sorted(IMAGE_SUFFIXES))})"
        )


def _pictures(folder: Path, recursive: bool) -> Iterator[tuple[Path, list[str]]]:
    """Pictures with the names of the text files beside them."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        names = sorted(name for name in files if not name.startswith("."))
        texts: dict[str, list[str]] = {}  # by what stands before the first full stop
        for name in names:
            if name.endswith(".txt"):
                texts.setdefault(name.partition(".")[0], []).append(name)
        for name in names:
            if Path(name).suffix.lower() in IMAGE_SUFFIXES:
                yield Path(root, name), texts.get(name.partition(".")[0], [])


def _captions(
    image: Path, sidecars: Sequence[str], options: ReaderOptions
) -> dict[str, tuple[str, ...]]:
    captions: dict[str, list[str]] = {}
    for name in sidecars:
        path = image.with_name(name)
        if name in (f"{image.stem}.txt", f"{image.name}.txt"):
            for tag, text in _plain_or_stamp(path, options):
                captions.setdefault(tag, []).append(text)
            continue
        tag = name.removeprefix(f"{image.stem}.").removesuffix(".txt")
        of_other_picture = f".{tag.lower()}" in IMAGE_SUFFIXES  # dog.png.txt is not for dog.jpg
        if name == f"{image.stem}.{tag}.txt" and is_language_tag(tag) and not of_other_picture:
            language = options.rename.get(tag, tag)
            captions.setdefault(language, []).extend(_lines(path))
    return {tag: tuple(texts) for tag, texts in captions.items()}


def _plain_or_stamp(path: Path, options: ReaderOptions) -> list[tuple[str, str]]:
    lines = _lines(path)
    stamps = [match for line in lines if (match := _STAMP_LINE.fullmatch(line))]
    if stamps:
        english = [("en", line) for line in lines[:1] if not _STAMP_LINE.fullmatch(line)]
        others = [(_stamp_language(match[1], options, path), match[2].strip()) for match in stamps]
        return english + [(tag, text) for tag, text in others if text]
    if not lines:
        return []
    language = language_of_plain_captions(path, options)
    return [(language, line) for line in lines]


def _lines(path: Path) -> list[str]:
    """Captions, one a line; blank lines between them do no harm."""
    lines = (line.strip() for line in read_text_lines(path))
    return [normalise_text(line) for line in lines if line]


def _stamp_language(locale: str, options: ReaderOptions, path: Path) -> str:
    """A POSIX locale as BCP-47: ``pt_BR`` → ``pt-BR``, ``sr@latin`` → ``sr-Latn``."""
    if locale in options.rename:
        return options.rename[locale]
    language, _, modifier = locale.partition("@")
    modifier = _SCRIPTS.get(modifier, modifier)
    tag = language.replace("_", "-") + (f"-{modifier}" if modifier else "")
    return checked_language(tag, f"{path}, {locale}")
