"""Filters as addresses carry them, for the API and for the page."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated

from fastapi import Query as Parameter

from polyglance.search.filters import (
    MAX_CAPTION_CHARACTERS,
    MAX_FOLDER_CHARACTERS,
    MAX_SIZE,
    Filters,
    Orientation,
)

FIELDS = tuple(each.name for each in fields(Filters))

FOLDER = "Only below this folder, as the paths of hits begin."
SINCE = "First day of the EXIF date: 2024, 2024-06 or 2024-06-30."
UNTIL = "Last day, included; a year or month counts to its end."
NEAR = (
    "Taken in this circle, by EXIF: latitude, longitude and radius, in km or m. Refused where the "
    "server tells no places."
)
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
    near: Annotated[
        str | None, Parameter(description=NEAR, examples=["50.0875,14.4213,5km"])
    ] = None,
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
        near=near,
        min_size=min_size,
        orientation=orientation,
        kind=kind,
        caption=caption,
    )
