"""A picture or a video that was found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.place import Place
from polyglance.search.schema import (
    PLACE_COLUMNS,
    SHOWN_COLUMNS,
    Captions,
    stored_path,
    stored_place,
)

if TYPE_CHECKING:
    from polyglance.search.collection import Collection
    from polyglance.search.hybrid import FoundBy

HIT_COLUMNS = [*SHOWN_COLUMNS, "captions", *PLACE_COLUMNS]
ITSELF = 1.0  # the score of a picture where nothing was asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A picture or a video that was found.

    Attributes:
        id: of the picture, or of the video's best frame, in the collection.
        path: absolute.
        name: the path below the collection's root, as valid Unicode.
        score: cosine of query and picture, −1 to 1.
        width: in pixels.
        height: in pixels.
        taken: EXIF date in the camera's local time.
        content: hex digest of the file.
        captions: language tag → captions, where the pictures came from a manifest.
        moment: of the best frame, in seconds from the video's start; ``None`` for a picture.
        place: where it was taken, as EXIF says; ``None`` also where that is not told.
        found_by: its ranks by vectors and by words, where both were asked.
        relevance: how the score stands beside what is found for words that match nothing, 0 to 1,
            see :mod:`polyglance.search.relevance`; ``None`` where that is not known.
    """

    id: str
    path: Path
    name: str
    score: float
    width: int
    height: int
    taken: datetime | None
    content: str
    captions: Captions = field(default_factory=dict)
    moment: float | None = None
    place: Place | None = None
    found_by: FoundBy | None = None
    relevance: float | None = None

    def is_relevant(self, least: float) -> bool:
        """Whether it has that relevance, or words of the query in its captions."""
        by_captions = self.found_by is not None and self.found_by.text is not None
        return by_captions or self.relevance is None or self.relevance >= least

    @property
    def clock(self) -> str | None:
        """The moment as a player shows it, ``mm:ss`` or ``h:mm:ss``; ``None`` for a picture."""
        return None if self.moment is None else clock(self.moment)


def hit_of(
    collection: Collection,
    row: Mapping[str, Any],
    *,
    score: float = ITSELF,
    places: bool = True,
    found_by: FoundBy | None = None,
) -> Hit:
    """A row that has ``HIT_COLUMNS`` as a hit, with its place where ``places`` are told."""
    return Hit(
        id=row["id"],
        path=collection.absolute(stored_path(row["path"], row["path_bytes"])),
        name=row["path"],
        score=score,
        width=row["width"],
        height=row["height"],
        taken=row["taken"],
        content=row["content"],
        captions=json.loads(row["captions"]) if row["captions"] else {},
        moment=row["moment"],
        place=stored_place(row) if places else None,
        found_by=found_by,
    )


def clock(seconds: float) -> str:
    """``mm:ss``, or ``h:mm:ss`` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
