"""The web application over one collection."""

from __future__ import annotations

import json
import logging

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from polyglance import __version__
from polyglance.errors import CollectionError, PictureError, PolyglanceError
from polyglance.search.collection import Collection
from polyglance.search.encoder import Encoder
from polyglance.search.searcher import Searcher
from polyglance.serve.access import Access, Token
from polyglance.serve.admission import (
    READING_AT_ONCE,
    READING_WAITING,
    SENDING_AT_ONCE,
    SENDING_WAITING,
    Admission,
    Turns,
)
from polyglance.serve.api import make_api
from polyglance.serve.metrics import Measured, Metrics
from polyglance.serve.pages import STATIC, make_pages
from polyglance.serve.protection import Protection
from polyglance.serve.refusal import WITHIN, is_for_the_page, told
from polyglance.serve.thumbnails import Thumbnails
from polyglance.serve.upkeep import UNREADABLE, make_upkeep
from polyglance.serve.uploads import Uploads
from polyglance.serve.viewer import make_viewer
from polyglance.serve.why import GONE, make_explainer, make_why

THUMBNAIL_SIDE = 480  # twice the size of a tile, for dense screens
PREVIEW_SIDE = 1600
FOR_EVER = "private, max-age=31536000, immutable"


def create_app(
    collection: Collection,
    encoder: Encoder,
    *,
    local_only: bool = True,
    token: Token | None = None,
    places: bool = False,
    title: str = "Polyglance",
) -> FastAPI:
    """Build the application.

    Args:
        collection: what is searched.
        encoder: the model that filled it; it stays loaded.
        local_only: answer only to the names of the loopback interface.
        token: answer only to those who show it.
        places: tell where pictures were taken, and find them by that.
        title: of the API's description.

    Raises:
        CollectionError: another model filled the collection.
    """
    metrics = Metrics(encoder.languages)
    searcher = Searcher(collection, encoder, tells_places=places, on_batch=metrics.batch.observe)
    app = FastAPI(
        title=title,
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
    )
    app.state.searcher = searcher
    _stand_before(app, metrics, local_only=local_only, token=token)
    app.add_exception_handler(PolyglanceError, _as_json)
    app.add_exception_handler(CollectionError, _as_unreadable)
    app.add_exception_handler(RequestValidationError, _as_invalid)
    explain = make_explainer(searcher)
    app.include_router(make_api(searcher, explain, metrics.count))
    app.include_router(make_why(searcher, explain))
    uploads = Uploads(decoding=searcher.decoding)
    app.include_router(make_pages(searcher, uploads, metrics.count))
    app.include_router(make_viewer(searcher, explain, uploads))
    app.include_router(make_upkeep(searcher, metrics))
    _add_pictures(app, searcher)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def _stand_before(app: FastAPI, metrics: Metrics, *, local_only: bool, token: Token | None) -> None:
    """What a request passes before it is answered; what is added last stands first."""
    app.add_middleware(
        Admission,
        reading=Turns(
            at_once=READING_AT_ONCE, most_waiting=READING_WAITING, on_waiting=metrics.waiting.inc
        ),
        sending=Turns(
            at_once=SENDING_AT_ONCE, most_waiting=SENDING_WAITING, on_waiting=metrics.waiting.inc
        ),
    )
    if token is not None:
        app.add_middleware(Access, token=token)
    app.add_middleware(Protection, local_only=local_only)
    app.add_middleware(Measured, metrics=metrics)


def _add_pictures(app: FastAPI, searcher: Searcher) -> None:
    thumbnails = Thumbnails(decoding=searcher.decoding)

    def jpeg(request: Request, picture_id: str, side: int) -> Response:
        hit = searcher.picture(picture_id)
        if hit is None:
            raise HTTPException(404, "there is no such picture in this collection")
        tag = f'"{hit.content}-{hit.moment}-{side}"'
        headers = {
            "etag": tag,
            "cache-control": FOR_EVER if "v" in request.query_params else "no-cache",
        }
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        try:
            content = thumbnails.jpeg(hit.path, content=hit.content, side=side, moment=hit.moment)
        except PictureError:
            raise HTTPException(404, GONE) from None
        return Response(content, media_type="image/jpeg", headers=headers)

    @app.get("/thumbnail/{picture_id}", include_in_schema=False)
    def thumbnail(request: Request, picture_id: str) -> Response:
        return jpeg(request, picture_id, THUMBNAIL_SIDE)

    @app.get("/picture/{picture_id}", include_in_schema=False)
    def picture(request: Request, picture_id: str) -> Response:
        return jpeg(request, picture_id, PREVIEW_SIDE)


async def _as_invalid(_request: Request, error: Exception) -> Response:
    """What is wrong where, without the value: it may be a picture, no number, or no Unicode."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    told = [{key: each[key] for key in ("type", "loc", "msg")} for each in problems]
    content = json.dumps({"detail": told})
    return Response(content, media_type="application/json", status_code=422)


async def _as_json(_request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, status_code=400)


async def _as_unreadable(request: Request, error: Exception) -> Response:
    """What is wrong is told to who runs the server; it has paths of this machine in it."""
    logging.getLogger(__name__).error("%s", error)
    if is_for_the_page(request):
        content, headers = told(request, PolyglanceError(UNREADABLE))
        return Response(content, status_code=503, headers=headers)
    return JSONResponse({"detail": UNREADABLE}, status_code=503, headers=WITHIN)
