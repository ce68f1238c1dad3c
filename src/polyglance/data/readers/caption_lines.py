"""Text files with one caption a line, each naming its picture.

``imgid#lang#n caption`` as in Flickr8k-CN, Flickr30k-CN and NRCCR's data, and
``name.jpg#n<tab>caption`` as in Flickr8k's own ``Flickr8k.token.txt``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from polyglance.data.decode import IMAGE_SUFFIXES
from polyglance.data.readers.common import (
    Gathering,
    checked_caption,
    checked_language,
    images_folder,
    language_of_each,
    picture_below,
    read_text_lines,
)
from polyglance.data.readers.options import ReaderOptions
from polyglance.data.record import Record
from polyglance.errors import ManifestError

_LINE = re.compile(r"(?P<picture>[^#\s][^#]*)#((?P<language>[^#\s]+)#)?(?P<number>\d+)#?\s+(.*)")
_CHAIN = re.compile(r"[a-z]{2,3}(2[a-z]{2,3})+")

# zhc: written for the picture; zhm: translated by people; zhb, zhg: by Baidu, by Google.
_LANGUAGES = {"enc": "en", "zhc": "zh", "zhm": "zh", "zhb": "zh-baidu", "zhg": "zh-google"}


def read_caption_lines(sources: Sequence[Path], options: ReaderOptions) -> Iterator[Record]:
    """Read files of caption lines; captions of the same picture are joined, in order of ``n``.

    NRCCR writes machine translations as chains: ``enc2de`` is English put into German and becomes
    ``de-x-mt-en``; ``enc2de2enc``, put back again, becomes ``en-x-mt-de``.

    Args:
        sources: the text files.
        options: ``images``; ``split``; ``rename``; ``languages``: for lines without a language,
            one for all files or one for each.

    Yields:
        A record for each picture, with its file name as id (``.jpg`` added where there was none).

    Raises:
        ManifestError: naming file and line.
    """
    images = images_folder(sources, options)
    rename = {**_LANGUAGES, **options.rename}
    gathering = Gathering()
    captions: list[tuple[int, str, str, str]] = []  # number, picture, language, caption
    for place, path in enumerate(sources):
        seen: set[tuple[str, ...]] = set()
        for number, line in enumerate(read_text_lines(path), start=1):
            where = f"{path}, line {number}"
            if not line.strip():
                continue
            match = _LINE.fullmatch(line)
            if match is None:
                raise ManifestError(f"{where}: not of the form 'picture#language#number caption'")
            if (key := match.group("picture", "language", "number")) in seen:
                raise ManifestError(f"{where}: {'#'.join(filter(None, key))} comes twice")
            seen.add(key)
            name = _file_name(match["picture"])
            image = picture_below(images, name, where)
            gathering.add_picture(name, image, split=options.split, where=where, extra={})
            tag = match["language"]
            if tag is None:
                language = language_of_each(sources, options, "such")[place]
            else:
                language = _language(tag, rename, where)
            caption = checked_caption(match[5], where)
            captions.append((int(match["number"]), name, language, caption))
    for _, name, language, caption in sorted(captions, key=lambda entry: entry[0]):
        gathering.add_caption(name, language, caption)
    yield from gathering.records()


def _file_name(picture: str) -> str:
    known = any(suffix in picture.lower() for suffix in IMAGE_SUFFIXES)
    return picture if known else f"{picture}.jpg"


def _language(tag: str, rename: Mapping[str, str], where: str) -> str:
    if tag not in rename and _CHAIN.fullmatch(tag):
        chain = [rename.get(part, part) for part in tag.split("2")]
        return f"{chain[-1]}-x-mt-{chain[-2]}"
    return checked_language(rename.get(tag, tag), where)
