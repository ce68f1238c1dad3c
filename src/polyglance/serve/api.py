"""The JSON API, version 1: read only, and only about pictures in the collection."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, HTTPException, UploadFile
from fastapi import Query as Parameter
from pydantic import BaseModel

from polyglance.errors import PictureError
from polyglance.search.filters import Filters
from polyglance.search.hit import Hit
from polyglance.search.query import Query
from polyglance.search.relevance import nothing_matches
from polyglance.search.searcher import MAX_OFFSET, Searcher
from polyglance.search.terms import MAX_CHARACTERS
from polyglance.serve.composed import HYBRID, Question
from polyglance.serve.filtering import filters_of_address
from polyglance.serve.why import Explainer, address_of_words
from polyglance.text.language_guess import Guess

MAX_TOP = 200

Top = Annotated[int, Parameter(ge=1, le=MAX_TOP, description="How many pictures.")]
Offset = Annotated[
    int,
    Parameter(ge=0, le=MAX_OFFSET, description="How many are left out before them, for pages."),
]
Words = Annotated[
    str,
    Parameter(
        max_length=MAX_CHARACTERS,
        description="In any language.",
        examples=["ein Hund im Schnee", "雪の中の犬"],
    ),
]
Language = Annotated[
    str | None,
    Parameter(
        description="BCP-47 tag of the words, such as de; guessed where it is not given.",
        examples=["de", "zh-Hant"],
    ),
]
Relevance = Annotated[float, Parameter(ge=0, le=1, description="Of a hit, at least.")]
Filtering = Annotated[Filters, Depends(filters_of_address)]


class Picture(BaseModel):
    """A hit. ``path`` is relative to the collection's root; ``score`` is its cosine with the query.

    ``relevance``, 0 to 1, is how the score stands beside what is found for words that match
    nothing; ``null`` where that is not known.
    ``moment`` is that of a video's best frame, in seconds from its start, ``null`` of a picture.
    Of a hybrid search, ``vector_rank`` and ``text_rank`` are the file's ranks by vectors and by the
    words of captions, ``null`` where it is in one of them alone.
    """

    id: str
    path: str
    score: float
    relevance: float | None
    width: int
    height: int
    taken: datetime | None
    moment: float | None
    vector_rank: int | None
    text_rank: int | None
    thumbnail: str


class Guessed(BaseModel):
    """A guess of a text's language, which was not given; ``used`` where it is sure enough."""

    language: str
    probability: float
    used: bool


class Answer(BaseModel):
    """What a search found, and how it was understood.

    ``query`` is the words alone, or the parts with their signs; ``languages`` has the tag of every
    text in it, ``language`` that of the only one, and ``guesses`` what was guessed where none was
    given; of a guess that is not used the tag is ``und``. ``matching`` is how many pictures and
    videos pass the filters, found or not; ``more`` whether hits come after these, from ``offset``
    plus their number on. ``nothing_matches`` is true where the best of all hits has too little
    relevance to be called a match; it is known from the first page.
    """

    query: str | None
    language: str | None
    languages: list[str]
    guesses: list[Guessed | None]
    matching: int
    offset: int
    more: bool
    nothing_matches: bool
    hits: list[Picture]
    milliseconds: float


class Place(BaseModel):
    """Where in a picture, as shares of its width from the left and of its height from the top."""

    x: float
    y: float


class Explanation(BaseModel):
    """A heat map. ``values`` are rows from the top; they compare places within one picture only.

    ``visible`` is what of the picture the map covers: left, top, right and bottom as shares of its
    sides. ``picture`` is the address of the picture with the map over it.
    """

    query: str
    language: str
    score: float
    peak: Place
    visible: tuple[float, float, float, float]
    values: list[list[float]]
    picture: str


class About(BaseModel):
    """The collection and the model that filled it."""

    pictures: int
    skipped: int
    model: str
    fingerprint: str
    dimension: int
    languages: list[str]
    created: datetime


def make_api(
    searcher: Searcher, explain: Explainer, count: Callable[[Query | None], object]
) -> APIRouter:
    """Routes below ``/api/v1``; ``count`` is told of every search, ``None`` of one for the like."""
    api = APIRouter(prefix="/api/v1")

    def answer(
        query: Query | None,
        filters: Filters,
        find: Callable[..., list[Hit]],
        *,
        top: int,
        offset: int,
    ) -> Answer:
        started = time.perf_counter()
        count(query)
        hits = find(top=top + 1, offset=offset, filters=filters)  # one more tells of others
        spoken = query.languages if query else ()
        return Answer(
            query=_described(query),
            language=spoken[0] if len(spoken) == 1 else None,
            languages=list(spoken),
            guesses=[_guessed(term.guess) for term in query.texts] if query else [],
            matching=searcher.matching(filters),
            offset=offset,
            more=len(hits) > top,
            nothing_matches=offset == 0 and nothing_matches(hits),
            hits=[_picture(hit) for hit in hits[:top]],
            milliseconds=round(1e3 * (time.perf_counter() - started), 1),
        )

    @api.get("/search")
    def search(
        q: Words,
        filters: Filtering,
        language: Language = None,
        top: Top = 20,
        offset: Offset = 0,
        hybrid: Annotated[bool, Parameter(description=HYBRID)] = False,
        min_relevance: Relevance = 0.0,
    ) -> Answer:
        """Find pictures by words."""
        query = searcher.understand(Query.of(q, language=language))
        find = partial(searcher.search, query, hybrid=hybrid, min_relevance=min_relevance)
        return answer(query, filters, find, top=top, offset=offset)

    @api.post("/search")
    def search_composed(question: Question) -> Answer:
        """Find pictures by several texts and pictures, each with a weight.

        The score is the cosine of a picture with the weighted sum of the parts' unit embeddings.
        """
        query, filters = searcher.understand(question.query()), question.filters.checked()
        find = partial(
            searcher.search,
            query,
            hybrid=question.hybrid,
            min_relevance=question.min_relevance,
        )
        return answer(query, filters, find, top=question.top, offset=question.offset)

    @api.post("/search/image")
    def search_by_image(
        image: Annotated[UploadFile, File(description="A picture file.")],
        filters: Filtering,
        q: Annotated[str, Form(max_length=MAX_CHARACTERS)] = "",
        language: Annotated[str | None, Form()] = None,
        top: Annotated[int, Form(ge=1, le=MAX_TOP)] = 20,
        offset: Annotated[int, Form(ge=0, le=MAX_OFFSET)] = 0,
    ) -> Answer:
        """Find pictures like an uploaded one, with words besides if there are any."""
        query = searcher.understand(Query.of(q, language=language, image=image.file.read()))
        find = partial(searcher.search, query)
        return answer(query, filters, find, top=top, offset=offset)

    @api.get("/similar/{picture_id}")
    def similar(picture_id: str, filters: Filtering, top: Top = 20, offset: Offset = 0) -> Answer:
        """Find pictures like one of the collection."""
        if searcher.picture(picture_id) is None:
            raise HTTPException(404, "there is no such picture in this collection")
        find = partial(searcher.similar, picture_id)
        return answer(None, filters, find, top=top, offset=offset)

    @api.get("/explain/{picture_id}")
    def explain_picture(picture_id: str, q: Words, language: Language = None) -> Explanation:
        """Say where in a picture of the collection the words are."""
        hit = searcher.picture(picture_id)
        if hit is None:
            raise HTTPException(404, "there is no such picture in this collection")
        query = searcher.understand(Query.of(q, language=language))
        try:
            heat = explain(hit, query).heat
        except PictureError:
            raise HTTPException(404, "the picture's file is gone or unreadable") from None
        return Explanation(
            query=query.text or "",
            language=query.language,
            score=round(heat.score, 6),
            peak=Place(x=heat.peak.x, y=heat.peak.y),
            visible=heat.visible,
            values=heat.values.tolist(),
            picture=f"/heat/{hit.id}?{address_of_words(query)}",
        )

    @api.get("/collection")
    def collection() -> About:
        """Say what is searched."""
        opened = searcher.collection
        return About(
            pictures=opened.files(),
            skipped=opened.skipped.count_rows(),
            model=opened.info.model,
            fingerprint=opened.info.fingerprint,
            dimension=opened.info.dimension,
            languages=list(searcher.encoder.languages),
            created=opened.info.created,
        )

    return api


def thumbnail_address(hit: Hit) -> str:
    """Where a thumbnail is; another content gets another address, so it may be kept for ever."""
    return f"/thumbnail/{hit.id}?v={hit.content[:12]}"


def _described(query: Query | None) -> str | None:
    """The words, where nothing but a picture stands beside them; else all parts."""
    if query is None:
        return None
    plain = len(query.languages) <= 1 and all(term.weight == 1 for term in query.terms)
    return query.text if plain else str(query)


def _guessed(guess: Guess | None) -> Guessed | None:
    if guess is None:
        return None
    probability = round(guess.probability, 4)
    return Guessed(language=guess.language, probability=probability, used=guess.is_certain)


def _picture(hit: Hit) -> Picture:
    return Picture(
        id=hit.id,
        path=hit.name,
        score=round(hit.score, 6),
        relevance=None if hit.relevance is None else round(hit.relevance, 4),
        width=hit.width,
        height=hit.height,
        taken=hit.taken,
        moment=hit.moment,
        vector_rank=None if hit.found_by is None else hit.found_by.vector,
        text_rank=None if hit.found_by is None else hit.found_by.text,
        thumbnail=thumbnail_address(hit),
    )
