"""Tux Paint's stamps: photo cut-outs and drawings with a phrase in up to 78 languages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from polyglance.data.language import is_language_tag
from polyglance.data.record import Record
from polyglance.data.text import normalise_text
from polyglance.weights.archives import members
from polyglance.weights.samples import IMAGES, split_of, write_samples

INSIDE = "./usr/share/tuxpaint/stamps/"
LOCALES = {"zh_CN": "zh", "sr@latin": "sr-Latn", "ca@valencia": "ca-valencia"}
"""Locale → BCP-47 tag, where more than ``_`` → ``-`` is to be done."""


def convert_stamps(archives: Mapping[str, Path], folder: Path) -> None:
    """Write the PNG stamps that have a phrase; those drawn in SVG and the sounds are left out."""
    (folder / IMAGES).mkdir()
    phrases: dict[str, dict[str, tuple[str, ...]]] = {}
    images: dict[str, Path] = {}
    for path, content in members(archives["tuxpaint-stamps-default"], _is_wanted):
        inside = PurePosixPath(path.removeprefix(INSIDE))
        key = "-".join(inside.with_suffix("").parts)
        if inside.suffix == ".txt":
            phrases[key] = parse_phrases(content.decode("utf-8", "replace"))
        else:
            images[key] = folder / IMAGES / f"{key}.png"
            images[key].write_bytes(content)
    records = []
    for key, image in images.items():
        if captions := phrases.get(key):
            split = split_of(captions["en"][0])
            records.append(Record(id=key, image=image, captions=captions, split=split))
        else:
            image.unlink()
    write_samples(records, folder)


def parse_phrases(text: str) -> dict[str, tuple[str, ...]]:
    """A stamp's ``.txt``: the English phrase, then lines such as ``de.utf8=Ein Hund.``.

    Returns:
        BCP-47 tag → the phrase; empty where there is no English one. Regional English is left out.
    """
    first, *rest = text.splitlines() or [""]
    phrases = {"en": first.strip()}
    for line in rest:
        locale, separator, phrase = line.partition(".utf8=")
        tag = LOCALES.get(locale, locale.replace("_", "-"))
        if separator and is_language_tag(tag) and not tag.startswith("en"):
            phrases[tag] = phrase.strip()
    if not phrases["en"]:
        return {}
    return {tag: (normalise_text(phrase),) for tag, phrase in phrases.items() if phrase}


def _is_wanted(path: str) -> bool:
    return path.startswith(INSIDE) and path.endswith((".png", ".txt"))
