"""Karpathy splits: ``dataset_coco.json``, ``dataset_flickr30k.json``, ``dataset_flickr8k.json``.

One object with ``images``, each with ``filename``, for COCO also ``filepath`` (the folder),
``split`` and ``sentences`` with the caption in ``raw``. COCO has a fourth split, ``restval``, the
part of the validation pictures that papers add to ``train``; it is kept apart here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from polyglance.data.readers.common import (
    Gathering,
    checked_caption,
    checked_language,
    images_folder,
    member,
    objects,
    picture_below,
    read_json,
)
from polyglance.data.readers.options import ReaderOptions
from polyglance.data.record import Record


def read_karpathy(sources: Sequence[Path], options: ReaderOptions) -> Iterator[Record]:
    """Read one or more Karpathy files; pictures of the same name are joined.

    Args:
        sources: the JSON files.
        options: ``images``; ``languages``: the captions' language, ``en`` where none is given.

    Yields:
        A record for each picture, with its file name as id.

    Raises:
        ManifestError: naming the file and the place in it.
    """
    language = checked_language((options.languages or ("en",))[0], "--language")
    images = images_folder(sources, options)
    gathering = Gathering()
    for path in sources:
        entries = member(read_json(path), "images", list, f"{path}, ")
        for entry, where in objects(entries, f"{path}, images"):
            name = member(entry, "filename", str, where)
            folder = member(entry, "filepath", str, where) if "filepath" in entry else ""
            gathering.add_picture(
                name,
                picture_below(images / folder, name, f"{where}.filename"),
                split=member(entry, "split", str, where),
                where=where,
                extra={},
            )
            sentences = member(entry, "sentences", list, where)
            for sentence, place in objects(sentences, f"{where}.sentences"):
                text = checked_caption(sentence.get("raw"), f"{place}.raw")
                gathering.add_caption(name, language, text)
    yield from gathering.records()
