"""Crossmodal-3600: 3,600 pictures with about two captions in each of 36 languages, a test set.

``captions.jsonl`` has an object a line: ``image/key`` (the picture's name without ``.jpg``),
``image/locale`` (the language of the place it was taken in) and, under each language's tag, an
object with the captions in ``caption``. Among the tags is ``no``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from polyglance.data.readers.common import (
    Gathering,
    checked_caption,
    checked_language,
    images_folder,
    member,
    picture_below,
    read_text_lines,
)
from polyglance.data.readers.options import ReaderOptions
from polyglance.data.record import Record
from polyglance.errors import ManifestError


def read_crossmodal3600(sources: Sequence[Path], options: ReaderOptions) -> Iterator[Record]:
    """Read Crossmodal-3600, all captions of each picture.

    Args:
        sources: ``captions.jsonl``.
        options: ``images``; ``languages``: the ones to keep; ``rename``; ``split``.

    Yields:
        A record for each picture, with its key as id, in split ``test`` unless told; ``extra``
        keeps the ``locale``.

    Raises:
        ManifestError: naming file, line and key.
    """
    images = images_folder(sources, options)
    gathering = Gathering()
    for path in sources:
        for number, line in enumerate(read_text_lines(path), start=1):
            if line.strip():
                _add_line(line, f"{path}, line {number}: ", images, options, gathering)
    yield from gathering.records()


def _add_line(
    line: str, where: str, images: Path, options: ReaderOptions, gathering: Gathering
) -> None:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise ManifestError(f"{where}not JSON: {error}") from None
    if not isinstance(entry, dict):
        raise ManifestError(f"{where}a JSON object is needed")
    key = member(entry, "image/key", str, where)
    locale = entry.get("image/locale")
    gathering.add_picture(
        key,
        picture_below(images, f"{key}.jpg", f"{where}image/key"),
        split=options.split or "test",
        where=where,
        extra={} if locale is None else {"locale": locale},
    )
    for tag, value in entry.items():
        if not isinstance(value, dict):
            continue  # image/key, image/locale
        language = checked_language(options.rename.get(tag, tag), f"{where}{tag}")
        if options.languages and language not in options.languages:
            continue
        for index, text in enumerate(member(value, "caption", list, f"{where}{tag}")):
            caption = checked_caption(text, f"{where}{tag}.caption[{index}]")
            gathering.add_caption(key, language, caption)
