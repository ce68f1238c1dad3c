"""VATEX (Wang et al., ICCV 2019): videos of ten seconds with English and Chinese captions.

A JSON list of objects with ``videoID``, ``enCap`` and ``chCap``; without captions in the private
test set. A ``videoID`` is a name on YouTube with the seconds at which the clip begins and ends, as
in ``Ptf_2VRj-V0_000122_000132``. Of the ten captions in each language the last five are
translations of one another, line by line, and the first five were written independently.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from polyglance.data.readers.common import (
    checked_caption,
    checked_language,
    images_folder,
    member,
    objects,
    picture_below,
    read_text_lines,
)
from polyglance.data.readers.options import ReaderOptions
from polyglance.data.record import Record
from polyglance.data.video import VIDEO_SUFFIXES
from polyglance.errors import ManifestError

_CAPTIONS = {"enCap": "en", "chCap": "zh"}
_SPLITS = {"train": "train", "val": "val", "test": "test"}  # what a file's name has in it


def read_vatex(sources: Sequence[Path], options: ReaderOptions) -> Iterator[Record]:
    """Read VATEX, all captions of each video.

    Args:
        sources: ``vatex_training_v1.0.json`` and the like.
        options: ``images``: the folder of the videos; ``languages``: the ones to keep; ``rename``;
            ``split``, where the name of the file should not decide.

    Yields:
        A record for each video, with its ``videoID`` as id: in the folder under that name with
        whatever suffix it has there, and ``.mp4`` where it is absent.

    Raises:
        ManifestError: naming file and place.
    """
    folder = images_folder(sources, options)
    rename = {"ch": "zh", **options.rename}
    seen: dict[str, Path] = {}
    for path in sources:
        split = options.split or _split(path)
        for entry, where in objects(_read_list(path), f"{path}: "):
            name = member(entry, "videoID", str, where)
            if name in seen:
                raise ManifestError(f"{where}: video {name!r} comes twice, first in {seen[name]}")
            seen[name] = path
            yield Record(
                id=name,
                video=_video(folder, name, where),
                captions=_captions(entry, where, options.languages, rename),
                split=split,
            )


def _read_list(path: Path) -> list[Any]:
    try:
        value = json.loads("\n".join(read_text_lines(path)))
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{path}: not JSON: {error}") from None
    if not isinstance(value, list):
        raise ManifestError(f"{path}: a JSON list is needed at the top")
    return value


def _split(path: Path) -> str | None:
    name = path.name.lower()
    return next((split for part, split in _SPLITS.items() if part in name), None)


def _video(folder: Path, name: str, where: str) -> Path:
    whole = picture_below(folder, f"{name}.mp4", f"{where}.videoID")
    there = (whole.with_name(f"{name}{suffix}") for suffix in sorted(VIDEO_SUFFIXES))
    return next((path for path in there if path.exists()), whole)


def _captions(
    entry: dict[str, Any], where: str, languages: Sequence[str], rename: dict[str, str]
) -> dict[str, tuple[str, ...]]:
    captions = {}
    for key, tag in _CAPTIONS.items():
        language = checked_language(rename.get(key.removesuffix("Cap"), tag), f"{where}.{key}")
        if key not in entry or (languages and language not in languages):
            continue
        texts = [
            checked_caption(text, f"{where}.{key}[{index}]")
            for index, text in enumerate(member(entry, key, list, where))
        ]
        if texts:
            captions[language] = tuple(texts)
    return captions
