"""Multi30K text beside lists of Flickr30k pictures.

Task 1 (``data/task1`` of the dataset): ``raw/SPLIT.LANG.gz`` has one sentence a line, translations
of one another, and ``image_splits/SPLIT.txt`` the picture of each line. Task 2: five descriptions
written independently, ``raw/SPLIT.N.LANG.gz`` with ``image_splits/SPLIT_images.txt``. Files may be
unpacked. In ``test_2017_mscoco`` a picture's name carries a caption number (``….jpg#367178``),
which is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from polyglance.data.readers.common import (
    checked_caption,
    images_folder,
    picture_below,
    read_text_lines,
)
from polyglance.data.readers.options import ReaderOptions
from polyglance.data.record import Record
from polyglance.errors import ManifestError

_TEXT = re.compile(r"(?P<split>\w+?)\.((?P<number>\d)\.)?(?P<language>[a-z]{2,3})(\.gz)?")


@dataclass
class _Picture:
    image: Path
    split: str
    sentences: dict[str, str] = field(default_factory=dict)  # task 1
    descriptions: dict[str, list[str]] = field(default_factory=dict)  # task 2


def read_multi30k(sources: Sequence[Path], options: ReaderOptions) -> Iterator[Record]:
    """Read task 1, task 2 or both.

    The sentences of task 1 become ``parallel``. They are the ``captions`` too, except in a language
    for which task 2 was read: its five descriptions were written for the picture.

    Args:
        sources: the folder ``task1``, the folder ``task2``, or both in this order.
        options: ``images``; ``languages``: the ones to keep.

    Yields:
        A record for each picture, with its file name as id.

    Raises:
        ManifestError: where a list is missing or out of step with its sentences.
    """
    images = images_folder(sources, options)
    pictures: dict[str, _Picture] = {}
    for folder in sources:
        for text in _text_files(folder, options.languages):
            _read_text(text, folder, images, pictures)
    for name, picture in pictures.items():
        translations = {tag: (sentence,) for tag, sentence in picture.sentences.items()}
        descriptions = {tag: tuple(texts) for tag, texts in picture.descriptions.items()}
        yield Record(
            id=name,
            image=picture.image,
            captions=translations | descriptions,
            parallel=picture.sentences if len(picture.sentences) > 1 else {},
            split=picture.split,
        )


def _text_files(folder: Path, languages: Sequence[str]) -> list[re.Match[str]]:
    """The names in ``raw``, taken apart; a file that is also there unpacked is left out."""
    raw = folder / "raw"
    if not raw.is_dir():
        raise ManifestError(
            f"{folder}: no folder 'raw' inside; name the folder task1 or task2 of Multi30K's data"
        )
    names = sorted(path.name for path in raw.iterdir())
    found = [match for name in names if (match := _TEXT.fullmatch(name))]
    found = [text for text in found if not languages or text["language"] in languages]
    found = [text for text in found if text[0].endswith(".gz") or f"{text[0]}.gz" not in names]
    if not found:
        wanted = f" in {' '.join(languages)}" if languages else ""
        raise ManifestError(f"{raw}: no files such as train.en.gz or train.1.en.gz{wanted}")
    return found


def _read_text(
    text: re.Match[str], folder: Path, images: Path, pictures: dict[str, _Picture]
) -> None:
    path, split = folder / "raw" / text[0], text["split"]
    listing = _listing(folder, split)
    names, sentences = read_text_lines(listing), read_text_lines(path)
    if len(names) != len(sentences):
        raise ManifestError(
            f"{path}: {len(sentences)} lines, but {listing} has {len(names)}; "
            "each line belongs to the picture on the same line"
        )
    for number, (entry, line) in enumerate(zip(names, sentences, strict=True), start=1):
        name = entry.partition("#")[0].strip()
        image = picture_below(images, name, f"{listing}, line {number}")
        picture = pictures.setdefault(name, _Picture(image, split))
        if _part(picture.split) != _part(split):
            raise ManifestError(
                f"{listing}, line {number}: picture {name!r} is in {picture.split} as well"
            )
        sentence = checked_caption(line, f"{path}, line {number}")
        if text["number"]:
            picture.descriptions.setdefault(text["language"], []).append(sentence)
        elif picture.sentences.setdefault(text["language"], sentence) != sentence:
            raise ManifestError(f"{listing}, line {number}: picture {name!r} comes twice")


def _part(split: str) -> str:
    """``test`` for ``test_2016_flickr`` of task 1 and ``test_2016`` of task 2."""
    return split.partition("_")[0]


def _listing(folder: Path, split: str) -> Path:
    candidates = [folder / "image_splits" / f"{split}{end}" for end in (".txt", "_images.txt")]
    for path in candidates:
        if path.is_file():
            return path
    raise ManifestError(f"{candidates[0]}: missing; it names the picture of each line")
