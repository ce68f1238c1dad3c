"""XTD10: 1,000 COCO pictures with one caption in each of eleven languages, a test set.

``test_image_names.txt`` has a picture a line, ``test_1kcaptions_LANG.txt`` the caption on the same
line; German and French lie in the folder ``MIC``, Japanese (``jp``) in ``STAIR``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from polyglance.data.readers.common import (
    Gathering,
    checked_caption,
    checked_language,
    coco_picture,
    images_folder,
    read_text_lines,
)
from polyglance.data.readers.options import ReaderOptions
from polyglance.data.record import Record
from polyglance.errors import ManifestError

_NAMES = "test_image_names.txt"
_PREFIX = "test_1kcaptions_"
_LANGUAGES = {"jp": "ja"}


def read_xtd10(sources: Sequence[Path], options: ReaderOptions) -> Iterator[Record]:
    """Read XTD10, and warn of what COCO models have seen of it.

    800 of the 1,000 pictures are in COCO's train2014; each record says in ``extra`` which part of
    COCO it is from (``coco_part``), so that they can be left out.

    Args:
        sources: the folder of the dataset.
        options: ``images``; ``languages``: the ones to keep; ``rename``; ``split``.

    Yields:
        A record for each picture, with its file name as id, in split ``test`` unless told.

    Raises:
        ManifestError: where files are missing or out of step.
    """
    images = images_folder(sources, options)
    folder = sources[0]
    listing = _listing(folder)
    names = read_text_lines(listing)
    gathering = Gathering()
    for number, name in enumerate(names, start=1):
        where = f"{listing}, line {number}"
        gathering.add_picture(
            name,
            coco_picture(images, name, where),
            split=options.split or "test",
            where=where,
            extra={"coco_part": name.split("_")[1]} if name.startswith("COCO_") else {},
        )
    for path in sorted(folder.rglob(f"{_PREFIX}*.txt")):
        tag = path.stem.removeprefix(_PREFIX)
        language = checked_language(({**_LANGUAGES, **options.rename}).get(tag, tag), f"{path}")
        if not options.languages or language in options.languages:
            _add_captions(path, language, listing, names, gathering)
    seen = sum("_train2014_" in name for name in names)
    if seen:
        warnings.warn(
            f"{seen} of XTD10's {len(names)} pictures are in COCO train2014; a model that was "
            "trained on COCO must be measured without them",
            stacklevel=2,
        )
    yield from gathering.records()


def _listing(folder: Path) -> Path:
    found = sorted(folder.rglob(_NAMES))
    if len(found) != 1:
        raise ManifestError(f"{folder}: {len(found)} files {_NAMES} inside; one is needed")
    return found[0]


def _add_captions(
    path: Path, language: str, listing: Path, names: list[str], gathering: Gathering
) -> None:
    lines = read_text_lines(path)
    if len(lines) != len(names):
        raise ManifestError(f"{path}: {len(lines)} lines, but {listing} has {len(names)}")
    for number, (name, line) in enumerate(zip(names, lines, strict=True), start=1):
        gathering.add_caption(name, language, checked_caption(line, f"{path}, line {number}"))
