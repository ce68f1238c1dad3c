"""What is asked of the page, as its address holds it: everything, so that a link is the query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast, get_args
from urllib.parse import urlencode

from polyglance.data.place import Place
from polyglance.search.near import Near
from polyglance.search.notation import Written, read_picture, read_text, write
from polyglance.search.query import Query
from polyglance.search.terms import Term
from polyglance.serve.filtering import FIELDS
from polyglance.serve.uploads import Uploads

Kind = Literal["text", "like", "upload"]
KINDS = get_args(Kind)
YES = "true"
AROUND = 1000.0  # metres


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A text or picture beside the words in the search box.

    Attributes:
        kind: a text; ``like``, a picture of the collection; ``upload``, a picture that was sent.
        content: the text, the picture's id, or the name under which what was sent is kept.
        language: BCP-47 tag of the text, or empty.
        weight: below zero for what is not wanted.
    """

    kind: Kind
    content: str
    language: str = ""
    weight: float = 1.0

    @classmethod
    def read(cls, kind: Kind, value: str) -> Part:
        """As an address writes it: ``bei Nacht@de,0.5``, or ``5f2c9a0b77e1d344@-1``."""
        content, tag, weight = read_text(value) if kind == "text" else read_picture(value)
        weight = 1.0 if weight is None else weight
        return cls(kind=kind, content=content, language=tag or "", weight=weight)

    @property
    def written(self) -> str:
        """The value in an address that is read as this part."""
        return write(Written(self.content, self.language or None, self.weight))

    def term(self, uploads: Uploads) -> Term:
        """The part of a query.

        Raises:
            QueryError: it is malformed, or the picture is no longer kept.
        """
        if self.kind == "text":
            return Term.of(self.content, language=self.language, weight=self.weight)
        if self.kind == "like":
            return Term.of(picture=self.content, weight=self.weight)
        return Term.of(image=uploads[self.content].content, weight=self.weight)

    def weighed(self, factor: float) -> Part:
        """The same part, with a weight that many times as large."""
        return replace(self, weight=self.weight * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query of the page with all that belongs to it.

    Attributes:
        words: in the search box.
        language: chosen beside it; empty where none is.
        parts: what else is looked for.
        typed: name → content of the filter fields that are not empty.
        hybrid: whether words are looked for in captions, too.
        offset: how many hits came on the pages before.
        ui: the language of the page's own words, where the address says it.
    """

    words: str = ""
    language: str = ""
    parts: tuple[Part, ...] = ()
    typed: dict[str, str] = field(default_factory=dict)
    hybrid: bool = False
    offset: int = 0
    ui: str = ""

    @classmethod
    def of(cls, fields: Iterable[tuple[str, str]]) -> Asked:
        """Read the fields of an address or a form.

        ``also``, with ``also_language`` and ``also_weight``, is a text to be added.
        """
        given = [(name, value) for name, value in fields if value.strip()]
        single = dict(given)
        parts = [Part.read(cast("Kind", name), value) for name, value in given if name in KINDS]
        if "also" in single:
            weight = -1.0 if single.get("also_weight") == "-1" else 1.0
            language = single.get("also_language", "")
            parts.append(
                Part(kind="text", content=single["also"], language=language, weight=weight)
            )
        offset = single.get("offset", "")
        return cls(
            words=single.get("q", ""),
            language=single.get("language", ""),
            parts=tuple(parts),
            typed={name: single[name] for name in FIELDS if name in single},
            hybrid=single.get("hybrid") == YES,
            offset=int(offset) if offset.isdecimal() and len(offset) < 10 else 0,
            ui=single.get("ui", ""),
        )

    def __bool__(self) -> bool:
        """Whether anything is looked for; filters alone look for nothing."""
        return bool(self.words or self.parts)

    def query(self, uploads: Uploads) -> Query:
        """The query.

        Raises:
            QueryError: a part is malformed, there is none, or a picture is no longer kept.
        """
        terms = [Term.of(self.words, language=self.language)] if self.words else []
        return Query.combined([*terms, *(part.term(uploads) for part in self.parts)])

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Names and values in an address, of what is not empty."""
        offset = str(self.offset) if self.offset else ""
        values = [
            ("q", self.words),
            ("language", self.language),
            *((part.kind, part.written) for part in self.parts),
            *self.typed.items(),
            ("hybrid", YES if self.hybrid else ""),
            ("offset", offset),
            ("ui", self.ui),
        ]
        return [(name, value) for name, value in values if value]

    @property
    def address(self) -> str:
        """Of the page that shows this."""
        return self.within("/")

    def within(self, path: str, **more: str) -> str:
        """An address below which this is carried on, with further fields."""
        carried = urlencode([*self.fields, *more.items()])
        return f"{path}?{carried}" if carried else path

    def at(self, offset: int) -> Asked:
        """Another page of the same hits."""
        return replace(self, offset=max(0, offset))

    def spoken_in(self, ui: str) -> Asked:
        """The same in another language of the interface."""
        return replace(self, ui=ui)

    def unfiltered(self) -> Asked:
        """The same of all pictures."""
        return self._anew(typed={})

    def near(self, place: Place) -> Asked:
        """The same of pictures that were taken about there."""
        latitude, longitude = place
        circle = Near(round(latitude, 6), round(longitude, 6), AROUND)
        return self._anew(typed={**self.typed, "near": str(circle)})

    def without_words(self) -> Asked:
        """The parts alone."""
        return self._anew(words="", language="")

    def with_picture(self, picture_id: str, weight: float) -> Asked:
        """More, or less, like a picture of the collection."""
        others = tuple(part for part in self.parts if part.content != picture_id)
        part = Part(kind="like", content=picture_id, weight=weight)
        return self._anew(parts=(*others, part))

    def with_upload(self, token: str) -> Asked:
        """Like a picture that was sent, instead of one that was sent before."""
        others = tuple(part for part in self.parts if part.kind != "upload")
        part = Part(kind="upload", content=token)
        return self._anew(parts=(*others, part))

    def without(self, part: Part) -> Asked:
        """All but one part."""
        return self._anew(parts=tuple(each for each in self.parts if each != part))

    def weighing(self, part: Part, factor: float) -> Asked:
        """With one part's weight that many times as large; −1 turns it round."""
        parts = (each.weighed(factor) if each == part else each for each in self.parts)
        return self._anew(parts=tuple(parts))

    def _anew(self, **changes: Any) -> Asked:
        """Changed, from the first page on."""
        return replace(self, offset=0, **changes)
