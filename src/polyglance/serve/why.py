"""Why this picture? Heat maps over a hit of the words that were searched, as pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi import Query as Parameter

from polyglance.data.video import open_shown
from polyglance.errors import ModelError, PictureError
from polyglance.search.hit import Hit
from polyglance.search.query import Query
from polyglance.search.searcher import Searcher
from polyglance.search.terms import MAX_CHARACTERS, NOT_GIVEN
from polyglance.serve.interface import N_
from polyglance.serve.thumbnails import JPEG_QUALITY
from polyglance.vision.heat_map import HeatMap

SIDE = 960  # pixels of the longest side of a picture with its map
# What models say themselves may name their folder, too.
WHOLE = N_("the model sees pictures as a whole, and cannot say where in one your words are")
GONE = "the picture's file is gone or unreadable"  # not where on this machine it lies
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
        with searcher.decoding:
            picture = open_shown(path, moment=moment, target_size=SIDE)
            picture.thumbnail((SIDE, SIDE), reducing_gap=2.0)
        heat = searcher.explain(picture, query)
        output = BytesIO()
        heat.overlay(picture).save(output, "JPEG", quality=JPEG_QUALITY)
        return Explained(heat, output.getvalue())

    def explain(hit: Hit, query: Query) -> Explained:
        if not searcher.explains:
            raise ModelError(WHOLE)
        words = Query.of(query.text, language=query.language)  # whatever else was asked with them
        return explained(hit.path, hit.content, hit.moment, words)

    return explain


def address_of_words(query: Query) -> str:
    """The part of an address that carries the words and their language: ``q=…&language=…``."""
    language = "" if query.language == NOT_GIVEN else query.language
    return urlencode({"q": query.text or "", "language": language})


def make_why(searcher: Searcher, explain: Explainer) -> APIRouter:
    """The pictures at ``/heat/…``."""
    why = APIRouter(include_in_schema=False)

    @why.get("/heat/{picture_id}")
    def picture(request: Request, picture_id: str, q: Words, language: str = "") -> Response:
        """The picture with the map over it."""
        query = searcher.understand(Query.of(q, language=language))
        hit = searcher.picture(picture_id)
        if hit is None:
            raise HTTPException(404, "there is no such picture in this collection")
        shown = f"{searcher.encoder.fingerprint} {hit.content} {hit.moment}"
        made_of = f"{shown} {query.language} {query.text}"
        tag = f'"{hashlib.sha256(made_of.encode()).hexdigest()[:32]}"'
        headers = {"etag": tag, "cache-control": "private, no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        try:
            content = explain(hit, query).jpeg
        except PictureError:
            raise HTTPException(404, GONE) from None
        return Response(content, media_type="image/jpeg", headers=headers)

    return why
