"""COCO-style caption JSON: COCO itself, STAIR Captions (ja), YJ Captions (ja).

``images`` gives each picture an ``id`` and a ``file_name``; ``annotations`` joins a ``caption`` to
an ``image_id``. No language is named, so it must be told. YJ Captions covers part of the training
pictures and comes without splits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from polyglance.data.readers.common import (
    Gathering,
    checked_caption,
    coco_picture,
    images_folder,
    language_of_each,
    member,
    objects,
    read_json,
)
from polyglance.data.readers.options import ReaderOptions
from polyglance.data.record import Record
from polyglance.errors import ManifestError


def read_coco(sources: Sequence[Path], options: ReaderOptions) -> Iterator[Record]:
    """Read COCO-style files; pictures of the same name are joined, so languages add up.

    Args:
        sources: the JSON files, such as ``captions_val2014.json stair_captions_v1.2_val.json``.
        options: ``languages``, one for all files or one for each; ``images``; ``split``.

    Yields:
        A record for each picture, with its file name as id.

    Raises:
        ManifestError: naming the file and the place in it.
    """
    images = images_folder(sources, options)
    gathering = Gathering()
    languages = language_of_each(sources, options, "COCO-style")
    for path, language in zip(sources, languages, strict=True):
        data = read_json(path)
        names: dict[int, str] = {}
        for entry, where in objects(member(data, "images", list, f"{path}, "), f"{path}, images"):
            name = _file_name(entry, where)
            names[member(entry, "id", int, where)] = name
            image = coco_picture(images, name, f"{where}.file_name")
            gathering.add_picture(name, image, split=options.split, where=where, extra={})
        annotations = member(data, "annotations", list, f"{path}, ")
        for entry, where in objects(annotations, f"{path}, annotations"):
            number = member(entry, "image_id", int, where)
            if number not in names:
                raise ManifestError(f"{where}.image_id: no image has the id {number}")
            text = checked_caption(entry.get("caption"), f"{where}.caption")
            gathering.add_caption(names[number], language, text)
    yield from gathering.records()


def _file_name(entry: dict[str, Any], where: str) -> str:
    """The picture's file name; older files give only the address that it was fetched from."""
    if "file_name" not in entry and isinstance(entry.get("coco_url"), str):
        return str(entry["coco_url"].rsplit("/", 1)[-1])
    return member(entry, "file_name", str, where)
