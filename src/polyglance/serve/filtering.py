"""Filters as addresses and forms carry them, for the API and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form
from fastapi import Query as Parameter

from polyglance.search.filters import (
    MAX_CAPTION_CHARACTERS,
    MAX_FOLDER_CHARACTERS,
    MAX_SIZE,
    Filters,
    Orientation,
)

FOLDER = "Only below this folder, as the paths of hits begin."
SINCE = "First day of the EXIF date: 2024, 2024-06 or 2024-06-30."
UNTIL = "Last day, included; a year or month counts to its end."
MIN_SIZE = "Of the shorter side, in pixels."
ORIENTATION = "Shape of the picture; a square has equal sides."
KIND = "picture, video, or the ending of a file name, such as png."
CAPTION = "Part of a caption in any language; upper and lower case are one."

FolderText = Annotated[
    str | None,
    Parameter(max_length=MAX_FOLDER_CHARACTERS, description=FOLDER, examples=["2024/Berlin"]),
]
CaptionText = Annotated[
    str | None,
    Parameter(max_length=MAX_CAPTION_CHARACTERS, description=CAPTION, examples=["dog"]),
]


def filters_of_address(
    folder: FolderText = None,
    since: Annotated[str | None, Parameter(description=SINCE, examples=["2024-06"])] = None,
    until: Annotated[str | None, Parameter(description=UNTIL, examples=["2024-06-30"])] = None,
    min_size: Annotated[
        int | None, Parameter(ge=1, le=MAX_SIZE, description=MIN_SIZE, examples=[800])
    ] = None,
    orientation: Annotated[Orientation | None, Parameter(description=ORIENTATION)] = None,
    kind: Annotated[str | None, Parameter(description=KIND, examples=["jpg"])] = None,
    caption: CaptionText = None,
) -> Filters:
    """Filters of the API, in the query of an address.

    Raises:
        QueryError: a value is malformed.
    """
    return Filters.of(
        folder=folder,
        since=since,
        until=until,
        min_size=min_size,
        orientation=orientation,
        kind=kind,
        caption=caption,
    )


def typed_in_address(
    folder: str = "",
    since: str = "",
    until: str = "",
    min_size: str = "",
    orientation: str = "",
    kind: str = "",
    caption: str = "",
) -> dict[str, str]:
    """What stands in the page's filter fields, unchecked, of those that are not empty."""
    return _filled(
        folder=folder,
        since=since,
        until=until,
        min_size=min_size,
        orientation=orientation,
        kind=kind,
        caption=caption,
    )


def typed_in_form(
    folder: Annotated[str, Form()] = "",
    since: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
    min_size: Annotated[str, Form()] = "",
    orientation: Annotated[str, Form()] = "",
    kind: Annotated[str, Form()] = "",
    caption: Annotated[str, Form()] = "",
) -> dict[str, str]:
    """Likewise, where a picture comes along."""
    return _filled(
        folder=folder,
        since=since,
        until=until,
        min_size=min_size,
        orientation=orientation,
        kind=kind,
        caption=caption,
    )


def address(**values: str | Mapping[str, str] | None) -> str:
    """The page with this state, ``/?…``; what is empty is left out, a mapping is spread."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        flat |= dict(value) if isinstance(value, Mapping) else {name: value or ""}
    filled = _filled(**flat)
    return f"/?{urlencode(filled)}" if filled else "/"


def _filled(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value.strip()}
