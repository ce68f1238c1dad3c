"""The JSON API, version 1: read only, and only about pictures in the collection."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, HTTPException, Path, UploadFile
from fastapi import Query as Parameter

from polyglance.errors import PictureError
from polyglance.search.filters import Filters
from polyglance.search.hit import Hit
from polyglance.search.paging import MAX_OFFSET
from polyglance.search.query import Query
from polyglance.search.relevance import nothing_matches
from polyglance.search.searcher import Searcher
from polyglance.search.terms import MAX_CHARACTERS
from polyglance.serve.answers import (
    About,
    Answer,
    Explanation,
    Guessed,
    Listed,
    Listing,
    Picture,
    Place,
    Position,
    Problem,
)
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
PictureId = Annotated[
    str, Path(description="Of a picture of the collection.", examples=["5f2c9a0b77e1d344"])
]

Responses = dict[int | str, dict[str, Any]]
PLAIN = {"text/plain": {"schema": {"type": "string"}}}
REFUSED: Responses = {
    400: {"model": Problem, "description": "The question makes no sense."},
    401: {"content": PLAIN, "description": "The token was not shown."},
    403: {"content": PLAIN, "description": "Another site made a browser ask."},
    408: {"content": PLAIN, "description": "The body comes too slowly."},
    413: {"content": PLAIN, "description": "The body is too large."},
    421: {"content": PLAIN, "description": "The server was addressed by another name."},
    503: {
        "model": Problem,
        "content": PLAIN,
        "description": "Too many ask at once, or the collection cannot be read.",
        "headers": {
            "Retry-After": {
                "schema": {"type": "integer"},
                "description": "Seconds after which to come again.",
            }
        },
    },
}
ABSENT: Responses = {404: {"model": Problem, "description": "There is no such picture."}}


def make_api(
    searcher: Searcher, explain: Explainer, count: Callable[[Query | None], object]
) -> APIRouter:
    """Routes below ``/api/v1``; ``count`` is told of every search, ``None`` of one for the like."""
    api = APIRouter(prefix="/api/v1", responses=REFUSED)

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
        q: Annotated[str, Form(max_length=MAX_CHARACTERS, examples=["bei Nacht"])] = "",
        language: Annotated[str | None, Form()] = None,
        top: Annotated[int, Form(ge=1, le=MAX_TOP)] = 20,
        offset: Annotated[int, Form(ge=0, le=MAX_OFFSET)] = 0,
    ) -> Answer:
        """Find pictures like an uploaded one, with words besides if there are any."""
        query = searcher.understand(Query.of(q, language=language, image=image.file.read()))
        find = partial(searcher.search, query)
        return answer(query, filters, find, top=top, offset=offset)

    @api.get("/similar/{picture_id}", responses=ABSENT)
    def similar(
        picture_id: PictureId, filters: Filtering, top: Top = 20, offset: Offset = 0
    ) -> Answer:
        """Find pictures like one of the collection."""
        if searcher.picture(picture_id) is None:
            raise HTTPException(404, "there is no such picture in this collection")
        find = partial(searcher.similar, picture_id)
        return answer(None, filters, find, top=top, offset=offset)

    @api.get("/pictures")
    def pictures(filters: Filtering, top: Top = 20, offset: Offset = 0) -> Listing:
        """List pictures without a question, those that were taken last first."""
        started = time.perf_counter()
        found = searcher.newest(top=top + 1, offset=offset, filters=filters)
        return Listing(
            matching=searcher.matching(filters),
            offset=offset,
            more=len(found) > top,
            pictures=[Listed(**_shared(hit)) for hit in found[:top]],
            milliseconds=round(1e3 * (time.perf_counter() - started), 1),
        )

    @api.get("/explain/{picture_id}", responses=ABSENT)
    def explain_picture(picture_id: PictureId, q: Words, language: Language = None) -> Explanation:
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
            skipped=opened.unreadable(),
            model=_model_name(opened.info.model),
            fingerprint=opened.info.fingerprint,
            dimension=opened.info.dimension,
            languages=list(searcher.encoder.languages),
            created=opened.info.created,
        )

    return api


def thumbnail_address(hit: Hit) -> str:
    """Where a thumbnail is; another content gets another address, so it may be kept for ever."""
    return f"/thumbnail/{hit.id}?v={hit.content[:12]}"


def _model_name(model: str) -> str:
    """Of a folder its name alone, not where on this machine it lies."""
    return PurePath(model).name if PurePath(model).is_absolute() else model


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


def _position(hit: Hit) -> Position | None:
    """To a tenth of a metre."""
    if hit.place is None:
        return None
    latitude, longitude = (round(angle, 6) for angle in hit.place)
    return Position(latitude=latitude, longitude=longitude)


def _picture(hit: Hit) -> Picture:
    return Picture(
        **_shared(hit),
        score=round(hit.score, 6),
        relevance=None if hit.relevance is None else round(hit.relevance, 4),
        vector_rank=None if hit.found_by is None else hit.found_by.vector,
        text_rank=None if hit.found_by is None else hit.found_by.text,
    )


def _shared(hit: Hit) -> dict[str, Any]:
    """What is told of every picture, found or listed."""
    return {
        "id": hit.id,
        "path": hit.name,
        "width": hit.width,
        "height": hit.height,
        "taken": hit.taken,
        "place": _position(hit),
        "moment": hit.moment,
        "thumbnail": thumbnail_address(hit),
    }
