"""Emoji pictures (Fluent 3D) named in many languages by the Unicode CLDR annotations."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from polyglance.data.record import Record
from polyglance.data.text import normalise_text
from polyglance.weights.archives import members
from polyglance.weights.samples import IMAGES, TRAIN, split_of, write_samples

LANGUAGES = (
    *("en", "de", "fr", "es", "it", "pt", "nl", "pl", "cs"),
    *("ru", "tr", "ar", "hi", "zh", "ja", "ko", "th"),
)
SKIN_TONES = {chr(code) for code in range(0x1F3FB, 0x1F400)}
VARIATION_SELECTOR = "\ufe0f"  # asks for the picture; CLDR's keys leave it out
_PICTURE = re.compile(r"package/assets/((?:[0-9a-f]{2,6}-)*[0-9a-f]{2,6})\.webp")
_NAMES = re.compile(r"package/annotations/([A-Za-z-]+)/annotations\.json")


class Annotation(NamedTuple):
    """What CLDR says of an emoji in one language."""

    name: str
    keywords: tuple[str, ...]


Names = Mapping[str, Mapping[str, Annotation]]  # language → emoji → annotation


def convert_emoji(archives: Mapping[str, Path], folder: Path) -> None:
    """Write the pictures that have a name in every language, skin tones left out.

    Test captions are the names alone: a picture is asked for by name. Training captions are the
    name and, as a second caption, the keywords. The derived names (flags, professions put together
    from parts) are not used: they say little that a picture shows.
    """
    names = _read_names(archives["cldr-annotations-full"])
    (folder / IMAGES).mkdir()
    records: list[Record] = []
    for path, picture in members(archives["@lobehub/fluent-emoji-3d"], _is_picture):
        name = PurePosixPath(path).name
        emoji = emoji_of(name)
        if SKIN_TONES.isdisjoint(emoji) and (annotations := annotations_of(emoji, names)):
            image = folder / IMAGES / name
            image.write_bytes(picture)
            records.append(_record(emoji, image, annotations))
    write_samples(records, folder)


def emoji_of(name: str) -> str:
    """``1f3f3-fe0f-200d-1f308.webp`` → 🏳️‍🌈."""
    return "".join(chr(int(code, 16)) for code in name.removesuffix(".webp").split("-"))


def annotations_of(emoji: str, names: Names) -> dict[str, Annotation]:
    """Language → annotation, or nothing where a language lacks the name."""
    keys = (emoji, emoji.replace(VARIATION_SELECTOR, ""))
    found = {
        language: names[language][key]
        for language in LANGUAGES
        for key in keys
        if key in names.get(language, {})
    }
    return found if len(found) == len(LANGUAGES) else {}


def _record(emoji: str, image: Path, annotations: Mapping[str, Annotation]) -> Record:
    split = split_of(annotations["en"].name)
    captions: dict[str, tuple[str, ...]] = {}
    for language, found in annotations.items():
        keywords = (", ".join(found.keywords),) if found.keywords and split == TRAIN else ()
        captions[language] = (found.name, *keywords)
    return Record(
        id=image.stem,
        image=image,
        captions=captions,
        split=split,
        extra={
            "emoji": emoji,
            "keywords": {language: found.keywords for language, found in annotations.items()},
        },
    )


def _is_picture(path: str) -> bool:
    return _PICTURE.fullmatch(path) is not None


def _read_names(archive: Path) -> Names:
    def wanted(path: str) -> bool:
        match = _NAMES.fullmatch(path)
        return match is not None and match[1] in LANGUAGES

    names: dict[str, dict[str, Annotation]] = {}
    for path, content in members(archive, wanted):
        entries: dict[str, Any] = json.loads(content)["annotations"]["annotations"]
        names[PurePosixPath(path).parent.name] = {
            emoji: _annotation(entry) for emoji, entry in entries.items() if entry.get("tts")
        }
    return names


def _annotation(entry: Mapping[str, list[str]]) -> Annotation:
    name = normalise_text(entry["tts"][0])
    keywords = (normalise_text(keyword) for keyword in entry.get("default", []))
    return Annotation(name=name, keywords=tuple(word for word in keywords if word != name))
