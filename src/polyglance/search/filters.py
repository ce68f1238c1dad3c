"""Which pictures of a collection are searched: by folder, date, place, size, shape, kind, caption.

A user's values become literals of LanceDB's expressions, escaped here and nowhere else; no text of
a user's is ever read as SQL.
"""

from __future__ import annotations

import json
import re
import unicodedata
from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from typing import Literal, cast, get_args

from polyglance.data.decode import IMAGE_SUFFIXES
from polyglance.data.text import normalise_text
from polyglance.data.video import VIDEO_SUFFIXES
from polyglance.errors import QueryError
from polyglance.search.near import Near

Orientation = Literal["landscape", "portrait", "square"]

MAX_FOLDER_CHARACTERS = 1000
MAX_CAPTION_CHARACTERS = 200
MAX_SIZE = 1_000_000

_SHAPES = {"landscape": "width > height", "portrait": "width < height", "square": "width = height"}
_KINDS = {"picture": "moment IS NULL", "video": "moment IS NOT NULL"}
# Endings that mean one format.
_SAME_FORMAT = (
    frozenset({"jpg", "jpeg", "jpe", "jfif"}),
    frozenset({"tif", "tiff"}),
    frozenset({"heic", "heif"}),
    frozenset({"mpg", "mpeg"}),
)
_ENDINGS = frozenset(suffix.removeprefix(".") for suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES)
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")

# The column ``captions`` is JSON, {"tag": ["text", …], …}. From its beginning to a place within one
# of the texts: what is looked for is never found in a tag, nor across two texts.
_JSON_STRING = r'"(?:[^"\\]|\\.)*"'
_WITHIN_A_TEXT = (
    rf'^\{{(?:"[^"]*": \[(?:{_JSON_STRING}(?:, )?)*\](?:, )?)*'
    rf'"[^"]*": \[(?:{_JSON_STRING}, )*"(?:[^"\\]|\\.)*?'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a picture must be to be searched; what is ``None`` is not asked for.

    Attributes:
        folder: as the paths of hits begin: relative to the collection's root, forward slashes.
            Folders below it count.
        since: first day of the EXIF date, in the camera's local time. Without a date a picture
            passes neither this nor ``until``.
        until: last day, included.
        near: a circle on Earth that it was taken in, by EXIF; without a place it does not pass.
        min_size: of the shorter side, in pixels.
        orientation: ``landscape``, ``portrait`` or, where both sides are equal, ``square``.
        kind: ``picture``, ``video`` or the ending of a file name, such as ``png``; endings of one
            format (``jpg``, ``jpeg``) are one.
        caption: part of a caption in any language, in NFC; upper and lower case are one.
    """

    folder: str | None = None
    since: date | None = None
    until: date | None = None
    near: Near | None = None
    min_size: int | None = None
    orientation: Orientation | None = None
    kind: str | None = None
    caption: str | None = None

    @classmethod
    def of(
        cls,
        *,
        folder: str | None = None,
        since: str | None = None,
        until: str | None = None,
        near: str | None = None,
        min_size: int | str | None = None,
        orientation: str | None = None,
        kind: str | None = None,
        caption: str | None = None,
    ) -> Filters:
        """Check and normalise what a user typed; empty strings ask for nothing.

        Args:
            folder: as above; a slash at the end and ``./`` before it change nothing.
            since: ``2024``, ``2024-06`` or ``2024-06-30``.
            until: likewise; a year or month counts to its end.
            near: ``50.0875,14.4213,5km``: latitude, longitude and radius, in ``km`` or ``m``.
            min_size: in pixels, from 1.
            orientation: as above.
            kind: as above.
            caption: as above.

        Raises:
            QueryError: a value is malformed, or the dates are the wrong way round.
        """
        first, last = _day("since", since, end=False), _day("until", until, end=True)
        if first is not None and last is not None and first > last:
            raise QueryError("no day is since {first} and until {last}", first=first, last=last)
        return cls(
            folder=_folder(folder),
            since=first,
            until=last,
            near=_near(near),
            min_size=_size(min_size),
            orientation=_orientation(orientation),
            kind=_kind(kind),
            caption=_caption(caption),
        )

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return any(getattr(self, each.name) is not None for each in fields(self))

    def given(self) -> dict[str, str]:
        """Name → value of what is asked for, as :meth:`of` takes it and addresses carry it."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: str(value) for name, value in values.items() if value is not None}

    def expression(self) -> str | None:
        """The filter for LanceDB, over columns of the table ``pictures``; ``None`` for all."""
        parts = []
        if self.folder is not None:
            parts.append(_any_of(f"starts_with(path, {_literal(f)})" for f in _forms(self.folder)))
        if self.since is not None:
            parts.append(f"taken >= {_moment(self.since, '00:00:00')}")
        if self.until is not None:
            parts.append(f"taken <= {_moment(self.until, '23:59:59')}")
        if self.near is not None:
            parts.append(self.near.condition)
        if self.min_size is not None:
            parts.append(f"(width >= {self.min_size:d} AND height >= {self.min_size:d})")
        if self.orientation is not None:
            parts.append(_SHAPES[self.orientation])
        if self.kind is not None:
            parts.append(_KINDS.get(self.kind) or _ends_with(self.kind))
        if self.caption is not None:
            parts.append(f"regexp_like(captions, {_literal(_pattern(self.caption))})")
        return " AND ".join(parts) or None

    def __str__(self) -> str:
        """What is asked for, as a message to the user says it."""
        said = {
            "folder": "in {}",
            "since": "since {}",
            "until": "until {}",
            "near": "taken near {}",
            "min_size": "both sides of {} pixels or more",
            "orientation": "{}",
            "kind": "of the kind {}",
            "caption": "with “{}” in a caption",
        }
        return ", ".join(said[name].format(value) for name, value in self.given().items())


EVERYTHING = Filters()


def _folder(text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    folder = _checked("folder", text, MAX_FOLDER_CHARACTERS)
    while folder.startswith("./"):
        folder = folder.removeprefix("./").lstrip("/")
    folder = folder.rstrip("/")
    return None if folder in {"", "."} else folder


def _day(name: str, text: str | None, *, end: bool) -> date | None:
    """The first day that ``2024``, ``2024-06`` or ``2024-06-30`` means, or the last."""
    if text is None or not text.strip():
        return None
    matched = _DATE.fullmatch(text.strip())
    try:
        if matched is None:
            raise ValueError
        year, *rest = (int(part) for part in matched.groups() if part is not None)
        month = rest[0] if rest else (12 if end else 1)
        day = rest[1] if len(rest) > 1 else (monthrange(year, month)[1] if end else 1)
        return date(year, month, day)
    except ValueError:
        raise QueryError(
            "{name}: {text!r} is not a date; use one like 2024, 2024-06 or 2024-06-30",
            name=name,
            text=text,
        ) from None


def _near(text: str | None) -> Near | None:
    return Near.read(text) if text and text.strip() else None


def _size(value: int | str | None) -> int | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        text = value.strip()
        value = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if not 1 <= value <= MAX_SIZE:
        raise QueryError(
            "the minimum size is a number of pixels between 1 and {most}", most=MAX_SIZE
        )
    return value


def _orientation(text: str | None) -> Orientation | None:
    shape = (text or "").strip().lower()
    if not shape:
        return None
    if shape not in get_args(Orientation):
        raise QueryError("{text!r} is no orientation; use landscape, portrait or square", text=text)
    return cast("Orientation", shape)


def _kind(text: str | None) -> str | None:
    kind = (text or "").strip().lower().removeprefix(".")
    if not kind:
        return None
    if kind not in _KINDS and kind not in _ENDINGS:
        raise QueryError(
            "{text!r} is no kind of file that is searched; use picture, video, or an ending such "
            "as jpg, png or mp4",
            text=text,
        )
    return kind


def _caption(text: str | None) -> str | None:
    part = normalise_text(text or "").strip()
    return _checked("caption", part, MAX_CAPTION_CHARACTERS) if part else None


def _checked(name: str, text: str, longest: int) -> str:
    if len(text) > longest:
        raise QueryError("{name}: longer than {longest} characters", name=name, longest=longest)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise QueryError("{name}: {text!r} is not valid Unicode", name=name, text=text) from None
    return text


def _literal(text: str) -> str:
    """A string of SQL. Only the quote has a meaning within one; a backslash has none."""
    return "'" + text.replace("'", "''") + "'"


def _moment(day: date, clock: str) -> str:
    return f"CAST('{day.isoformat()} {clock}' AS TIMESTAMP(0))"


def _forms(folder: str) -> list[str]:
    """The beginnings of paths below a folder: file systems keep accents composed or apart."""
    forms = [folder, *(unicodedata.normalize(form, folder) for form in ("NFC", "NFD"))]
    return [f"{form}/" for form in dict.fromkeys(forms)]


def _ends_with(ending: str) -> str:
    same = next((group for group in _SAME_FORMAT if ending in group), frozenset({ending}))
    return _any_of(f"ends_with(lower(path), {_literal(f'.{each}')})" for each in sorted(same))


def _any_of(parts: Iterable[str]) -> str:
    return f"({' OR '.join(parts)})"


def _pattern(caption: str) -> str:
    """A regular expression that finds ``caption`` in the JSON of captions, whatever the case."""
    as_stored = json.dumps(caption, ensure_ascii=False)[1:-1]
    literally = re.sub(r"[\\.+*?()|\[\]{}^$#&~-]", r"\\\g<0>", as_stored)
    return f"(?i){_WITHIN_A_TEXT}{literally}"
