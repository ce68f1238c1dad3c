"""One line of a manifest to a `Record` and back, with errors that name the field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from polyglance.data.language import is_language_tag
from polyglance.data.record import Record
from polyglance.data.text import normalise_text

Row = dict[str, Any]

FIELDS = (
    "id",
    "image",
    "video",
    "features",
    "split",
    "captions",
    "machine_translated",
    "parallel",
)
_WINDOWS_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class FieldError(Exception):
    """A field is wrong. The reader that catches it adds file and line."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"field '{field}': {reason}")


def record_from_row(row: Mapping[str, Any], root: Path) -> Record:
    """Check one row and turn it into a record.

    Args:
        row: the keys of the manifest; ``None`` counts as absent.
        root: absolute path of the manifest's folder, where relative paths start.

    Returns:
        The record. Without an ``id`` it takes the name of its picture, video or features.

    Raises:
        FieldError: for the first field that is wrong.
    """
    image, video = _relative_path(row, "image"), _relative_path(row, "video")
    features = _optional_string(row, "features")
    name = image or video or features
    if name is None:
        raise FieldError("image", "missing; a line needs 'image', 'video' or 'features'")
    captions = _caption_lists(row, "captions")
    machine_translated = _caption_lists(row, "machine_translated")
    parallel = _sentences(row, "parallel")
    if captions is None and machine_translated is None and parallel is None:
        raise FieldError("captions", 'missing; write "captions": {} for a picture without any')
    return Record(
        id=_optional_string(row, "id") or name,
        image=root / image if image else None,
        captions=captions or {},
        machine_translated=machine_translated or {},
        parallel=parallel or {},
        split=_optional_string(row, "split"),
        video=root / video if video else None,
        features=features,
        extra={key: value for key, value in row.items() if key not in FIELDS},
    )


def row_from_record(record: Record, root: Path) -> Row:
    """Turn a record into the row that `record_from_row` would read back as the same record.

    Args:
        record: any record; its pictures must lie in or below ``root``.
        root: absolute path of the manifest's folder.

    Returns:
        The keys that are set; ``id`` only where it differs from the picture's path.

    Raises:
        FieldError: for a field that the manifest cannot hold, or a picture outside ``root``.
    """
    row: Row = {
        "id": record.id,
        "image": _path_below(root, record.image, "image"),
        "video": _path_below(root, record.video, "video"),
        "features": record.features,
        "split": record.split,
        "captions": {tag: list(texts) for tag, texts in record.captions.items()},
        "machine_translated": {tag: list(texts) for tag, texts in record.machine_translated.items()}
        or None,
        "parallel": dict(record.parallel) or None,
    }
    clash = next((key for key in record.extra if key in row), None)
    if clash is not None:
        raise FieldError(clash, "a key of the manifest itself; it cannot also be an extra key")
    row |= record.extra
    record_from_row(row, root)  # never write what could not be read back
    if record.id == (row["image"] or row["video"] or row["features"]):
        row["id"] = None
    return {key: value for key, value in row.items() if value is not None or key in record.extra}


def _optional_string(row: Mapping[str, Any], field: str) -> str | None:
    value = row.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise FieldError(field, f"a string is needed, not {_kind(value)}")
    if not value.strip():
        raise FieldError(field, "empty; leave the key out instead")
    return value


def _relative_path(row: Mapping[str, Any], field: str) -> str | None:
    """A path that stays below the manifest's folder, in its shortest spelling."""
    text = _optional_string(row, field)
    if text is None:
        return None
    if "://" in text:
        raise FieldError(field, f"{text!r} is a URL; only files on disk are read")
    if "\0" in text:
        raise FieldError(field, f"{text!r} holds a NUL character")
    path = PurePosixPath(text)  # $VARIABLES and ~ are names like any other, never expanded
    if path.is_absolute() or _WINDOWS_DRIVE.match(text):
        raise FieldError(field, f"{text!r} is absolute; write it relative to the manifest")
    if ".." in path.parts:
        raise FieldError(field, f"{text!r} has '..'; it must stay below the manifest's folder")
    if not path.parts:
        raise FieldError(field, f"{text!r} names no file")
    return str(path)


def _path_below(root: Path, path: Path | None, field: str) -> str | None:
    """The path relative to ``root``; links along the way are followed only where needed."""
    if path is None:
        return None
    for candidate in (path, path.parent.resolve() / path.name):
        if candidate.is_relative_to(root):
            return candidate.relative_to(root).as_posix()
    raise FieldError(
        field,
        f"'{path}' lies outside the manifest's folder '{root}'; write the manifest above the "
        "pictures, or put a link to them beside it (polyglance data prepare --link)",
    )


def _caption_lists(row: Mapping[str, Any], field: str) -> dict[str, tuple[str, ...]] | None:
    languages = _by_language(row, field)
    if languages is None:
        return None
    return {
        tag: _captions(texts, f"{field}.{tag}")
        for tag, texts in languages
        if texts is not None  # a Parquet struct has a null for each language that a row lacks
    }


def _captions(texts: Any, field: str) -> tuple[str, ...]:
    if not isinstance(texts, list):
        raise FieldError(field, f"a list of strings is needed, not {_kind(texts)}")
    if not texts:
        raise FieldError(field, "an empty list; leave the language out instead")
    return tuple([_caption(text, field, place) for place, text in enumerate(texts)])


def _caption(text: Any, field: str, place: int | None = None) -> str:
    where = field if place is None else f"{field}[{place}]"
    if not isinstance(text, str):
        raise FieldError(where, f"a caption is a string, not {_kind(text)}")
    if not text or text.isspace():
        raise FieldError(where, "an empty caption")
    return normalise_text(text)


def _sentences(row: Mapping[str, Any], field: str) -> dict[str, str] | None:
    languages = _by_language(row, field)
    if languages is None:
        return None
    return {tag: _caption(text, f"{field}.{tag}") for tag, text in languages if text is not None}


def _by_language(row: Mapping[str, Any], field: str) -> Iterable[tuple[str, Any]] | None:
    value = row.get(field)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise FieldError(field, f"an object of language → captions is needed, not {_kind(value)}")
    for tag in value:
        if not is_language_tag(tag):
            raise FieldError(f"{field}.{tag}", "not a language tag such as 'en' or 'zh-Hant'")
    return value.items()


def _kind(value: Any) -> str:
    """What JSON calls the type of a value."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string"}
    names |= {list: "a list", dict: "an object"}
    return names.get(type(value), f"{type(value).__name__}")
