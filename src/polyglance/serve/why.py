"""Why this picture? Heat maps of the words that were searched over a hit, as pictures and pages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi import Query as Parameter
from fastapi.templating import Jinja2Templates

from polyglance.data.video import open_shown
from polyglance.errors import PictureError, PolyglanceError
from polyglance.search.query import Hit, Query, Searcher
from polyglance.search.terms import MAX_CHARACTERS, NOT_GIVEN
from polyglance.serve.filtering import typed_in_address
from polyglance.serve.fragments import as_fragment, wants_fragment
from polyglance.serve.thumbnails import JPEG_QUALITY
from polyglance.vision.heat_map import HeatMap

SIDE = 960  # pixels of the longest side of a picture with its map
KEPT = 64  # maps with their pictures, about 100 kB each

Words = Annotated[str, Parameter(max_length=MAX_CHARACTERS)]


class Explained(NamedTuple):
    """A heat map, and the picture with the map over it as a JPEG."""

    heat: HeatMap
    jpeg: bytes


Explainer = Callable[[Hit, Query], Explained]


def make_explainer(searcher: Searcher) -> Explainer:
    """Explains hits, and keeps the latest: a page asks for the words first, then for the picture.

    What it returns raises a PictureError where the picture's file is gone or unreadable, and a
    ModelError where the model sees pictures only as a whole.
    """

    @lru_cache(maxsize=KEPT)
    def explained(path: Path, _content: str, moment: float | None, query: Query) -> Explained:
        picture = open_shown(path, moment=moment, target_size=SIDE)
        picture.thumbnail((SIDE, SIDE), reducing_gap=2.0)
        heat = searcher.explain(picture, query)
        output = BytesIO()
        heat.overlay(picture).save(output, "JPEG", quality=JPEG_QUALITY)
        return Explained(heat, output.getvalue())

    return lambda hit, query: explained(hit.path, hit.content, hit.moment, query)


def address_of_words(query: Query) -> str:
    """The part of an address that carries the words and their language: ``q=…&language=…``."""
    language = "" if query.language == NOT_GIVEN else query.language
    return urlencode({"q": query.text or "", "language": language})


def make_why(searcher: Searcher, explain: Explainer, templates: Jinja2Templates) -> APIRouter:
    """The pages at ``/why/…`` and the pictures at ``/heat/…``."""
    why = APIRouter(include_in_schema=False)

    @why.get("/why/{picture_id}")
    def page(
        request: Request,
        picture_id: str,
        q: Words,
        filters: Annotated[dict[str, str], Depends(typed_in_address)],
        language: str = "",
        shown: bool = True,
    ) -> Response:
        """A hit with its heat map, or the plain hit again: a page, or a tile for htmx.

        Filters do nothing here; links lead back to what was searched with them.
        """
        query = searcher.understand(Query.of(q, language=language))
        hit = _compared(searcher, picture_id, query)
        heat, problem = None, None
        if shown:
            try:
                heat = explain(hit, query).heat
            except PolyglanceError as error:
                problem = _told(error)
        context = {
            "hit": hit,
            "text": query.text,
            "spoken": query.language,
            "guess": query.texts[0].guess,
            "words": address_of_words(query),
            "filters": filters,
            "heat": heat,
            "problem": problem,
        }
        name = "why_tile.html" if wants_fragment(request) else "why.html"
        status = 200 if problem is None else 400
        return as_fragment(templates.TemplateResponse(request, name, context, status_code=status))

    @why.get("/heat/{picture_id}")
    def picture(request: Request, picture_id: str, q: Words, language: str = "") -> Response:
        """The picture with the map over it."""
        query = searcher.understand(Query.of(q, language=language))
        hit = _compared(searcher, picture_id, query)
        shown = f"{searcher.encoder.fingerprint} {hit.content} {hit.moment}"
        made_of = f"{shown} {query.language} {query.text}"
        tag = f'"{hashlib.sha256(made_of.encode()).hexdigest()[:32]}"'
        headers = {"etag": tag, "cache-control": "private, no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        try:
            content = explain(hit, query).jpeg
        except PictureError as error:
            raise HTTPException(404, _told(error)) from None
        return Response(content, media_type="image/jpeg", headers=headers)

    return why


def _compared(searcher: Searcher, picture_id: str, query: Query) -> Hit:
    if searcher.picture(picture_id) is None:
        raise HTTPException(404, "there is no such picture in this collection")
    return searcher.compare(picture_id, query)


def _told(error: PolyglanceError) -> str:
    """The message, but not where on this machine a picture lies."""
    gone = "the picture's file is gone or unreadable"
    return gone if isinstance(error, PictureError) else str(error)
