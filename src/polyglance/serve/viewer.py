"""One picture, large, with what is known of it, and why it was found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from polyglance.errors import CollectionError, PictureError, PolyglanceError, QueryError
from polyglance.search.hit import Hit
from polyglance.search.query import Query
from polyglance.search.searcher import Searcher
from polyglance.serve.asked import Asked
from polyglance.serve.pages import asked_in_address
from polyglance.serve.rendering import render
from polyglance.serve.uploads import Uploads
from polyglance.serve.why import GONE, Explainer, address_of_words
from polyglance.vision.heat_map import HeatMap


@dataclass(kw_only=True)
class Look:
    """A picture as the viewer and a tile show it.

    Attributes:
        asked: what it was found by; nothing where the collection was only looked through.
        hit: the picture, with its score if anything was asked.
        query: what was asked, or ``None``.
        explains: whether the model can say why it was found.
        heat: where the words are in it, if that was to be shown.
        error: for the user.
    """

    asked: Asked
    hit: Hit | None = None
    query: Query | None = None
    explains: bool = False
    heat: HeatMap | None = None
    error: PolyglanceError | None = None

    @property
    def spoken(self) -> str | None:
        """The tag of the first wanted text, as it reached the model."""
        return self.query.language if self.query and self.query.text else None

    @property
    def words(self) -> str:
        """The part of an address that says whose heat map is meant."""
        return address_of_words(self.query) if self.query else ""

    @property
    def file_name(self) -> str:
        """Of the picture, without its folder."""
        return PurePosixPath(self.hit.name).name if self.hit else ""


def make_viewer(searcher: Searcher, explain: Explainer, uploads: Uploads) -> APIRouter:
    """The pages at ``/view/…``, and single tiles at ``/tile/…``."""
    viewer = APIRouter(include_in_schema=False)

    def look(picture_id: str, asked: Asked, heat: bool) -> Look:
        shown = Look(asked=asked)
        try:
            _fill(shown, searcher, uploads, picture_id)
            if heat and shown.hit and shown.query:
                shown.heat = explain(shown.hit, shown.query).heat
        except PictureError:
            shown.error = PictureError(GONE)
        except CollectionError:  # not the user's
            raise
        except PolyglanceError as error:
            shown.error = error
        return shown

    @viewer.get("/view/{picture_id}")
    def view(
        request: Request,
        picture_id: str,
        asked: Annotated[Asked, Depends(asked_in_address)],
        heat: bool = False,
    ) -> Response:
        """The picture: a page, or for htmx what stands in it."""
        shown = look(picture_id, asked, heat)
        return _rendered(request, shown, page="view.html", fragment="viewer.html")

    @viewer.get("/tile/{picture_id}")
    def tile(
        request: Request,
        picture_id: str,
        asked: Annotated[Asked, Depends(asked_in_address)],
        heat: bool = False,
    ) -> Response:
        """A tile of the grid, with or without its heat map."""
        shown = look(picture_id, asked, heat)
        return _rendered(request, shown, page="one_tile.html", fragment="one_tile.html")

    return viewer


def _fill(shown: Look, searcher: Searcher, uploads: Uploads, picture_id: str) -> None:
    shown.hit = searcher.picture(picture_id)
    if shown.hit is None:
        raise QueryError("there is no picture {id!r} in this collection", id=picture_id)
    if shown.asked:
        shown.query = searcher.understand(shown.asked.query(uploads))
        shown.hit = searcher.compare(picture_id, shown.query)
        shown.explains = searcher.explains and shown.query.text is not None


def _rendered(request: Request, shown: Look, *, page: str, fragment: str) -> Response:
    status = 200 if shown.error is None else 404 if shown.hit is None else 400
    return render(
        request, page=page, fragment=fragment, asked=shown.asked, status=status, look=shown
    )
