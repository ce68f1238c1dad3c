"""Queries of several texts and pictures, as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, JsonValue

from polyglance.search.filters import Filters, Orientation
from polyglance.search.paging import MAX_OFFSET
from polyglance.search.query import Query
from polyglance.search.terms import MAX_CHARACTERS, MAX_TERMS, MAX_WEIGHT, Term
from polyglance.serve.filtering import (
    CAPTION,
    FOLDER,
    KIND,
    MIN_SIZE,
    NEAR,
    ORIENTATION,
    SINCE,
    UNTIL,
)

MAX_TOP = 200
HYBRID = "Look for the words in captions as well, and join both rankings."

EXAMPLE: dict[str, JsonValue] = {
    "terms": [
        {"text": "ein rotes Auto", "language": "de"},
        {"text": "at night", "language": "en", "weight": 0.5},
        {"text": "雪", "language": "ja", "weight": -1},
    ],
    "filters": {"folder": "2024", "orientation": "landscape"},
    "top": 20,
}


class Part(BaseModel):
    """One text or one picture: exactly one of ``text``, ``picture`` and ``image``."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str | None, Field(max_length=MAX_CHARACTERS)] = None
    language: Annotated[str | None, Field(description="BCP-47 tag of the text.")] = None
    picture: Annotated[str | None, Field(description="Id of a picture of the collection.")] = None
    image: Annotated[Base64Bytes | None, Field(description="A picture file, in Base64.")] = None
    weight: Annotated[
        float, Field(description=f"Up to {MAX_WEIGHT:g}, not 0; below 0 for what is not wanted.")
    ] = 1.0


class Passing(BaseModel):
    """Which pictures are searched at all."""

    model_config = ConfigDict(extra="forbid")

    folder: Annotated[str | None, Field(description=FOLDER)] = None
    since: Annotated[str | None, Field(description=SINCE)] = None
    until: Annotated[str | None, Field(description=UNTIL)] = None
    near: Annotated[str | None, Field(description=NEAR)] = None
    min_size: Annotated[int | None, Field(description=MIN_SIZE)] = None
    orientation: Annotated[Orientation | None, Field(description=ORIENTATION)] = None
    kind: Annotated[str | None, Field(description=KIND)] = None
    caption: Annotated[str | None, Field(description=CAPTION)] = None

    def checked(self) -> Filters:
        """The filters.

        Raises:
            QueryError: a value is malformed.
        """
        return Filters.of(**dict(self))


class Question(BaseModel):
    """A query of several parts."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    terms: Annotated[list[Part], Field(min_length=1, max_length=MAX_TERMS)]
    filters: Passing = Passing()
    top: Annotated[int, Field(ge=1, le=MAX_TOP, description="How many pictures.")] = 20
    offset: Annotated[
        int, Field(ge=0, le=MAX_OFFSET, description="How many are left out before them.")
    ] = 0
    hybrid: Annotated[bool, Field(description=HYBRID)] = False
    min_relevance: Annotated[float, Field(ge=0, le=1, description="Of a hit, at least.")] = 0.0

    def query(self) -> Query:
        """The query.

        Raises:
            QueryError: a part is malformed.
        """
        return Query.combined(Term.of(**dict(part)) for part in self.terms)
