"""The web page: one address for everything that can be asked, with and without JavaScript."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Depends, File, Request, Response, UploadFile
from fastapi.responses import RedirectResponse

from polyglance.errors import CollectionError, PictureError, PolyglanceError, QueryError
from polyglance.search.filters import EVERYTHING, Filters
from polyglance.search.hit import Hit
from polyglance.search.hybrid import DEPTH
from polyglance.search.paging import MAX_OFFSET
from polyglance.search.query import Query
from polyglance.search.relevance import nothing_matches
from polyglance.search.searcher import Searcher
from polyglance.search.terms import NOT_GIVEN
from polyglance.serve.api import thumbnail_address
from polyglance.serve.asked import Asked, Part
from polyglance.serve.languages import direction, native_name
from polyglance.serve.rendering import render
from polyglance.serve.uploads import Uploads
from polyglance.text.language_guess import Guess

STATIC = Path(__file__).parent / "static"
HITS_SHOWN = 48
SAMPLES_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A part of the query as the page shows it.

    Attributes:
        part: itself.
        name: of a picture's file; empty for a text, and for a picture that is gone.
        picture: address of a small picture; empty likewise.
    """

    part: Part
    name: str = ""
    picture: str = ""


@dataclass(kw_only=True)
class View:
    """What a page shows.

    Attributes:
        asked: what was asked for.
        parts: of it, beside the words in the box.
        spoken: the tag of the first wanted text, as it reached the model; ``None`` without one.
        guess: of its language, where none was chosen.
        filters: what the filter fields mean.
        matching: how many pictures and videos pass the filters.
        more: whether there are hits after these.
        hybrid: whether they were found by captions as well.
        hits: best first.
        newest: where there are filters alone, what passes them, taken last first.
        samples: pictures to look at where nothing was asked.
        milliseconds: that the search took.
        explains: whether the model can say why it found a picture.
        unlearned: languages that the model was trained on, where the query's is none of them.
        error: for the user, instead of hits.
    """

    asked: Asked
    parts: list[Shown] = field(default_factory=list)
    spoken: str | None = None
    guess: Guess | None = None
    filters: Filters = EVERYTHING
    matching: int = 0
    more: bool = False
    hybrid: bool = False
    hits: list[Hit] = field(default_factory=list)
    newest: list[Hit] = field(default_factory=list)
    samples: list[Hit] = field(default_factory=list)
    milliseconds: float = 0.0
    explains: bool = False
    unlearned: tuple[str, ...] = ()
    error: PolyglanceError | None = None

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``, as the words run; empty without words."""
        return direction(self.asked.words, self.asked.language)

    @property
    def no_match(self) -> bool:
        """Whether even the best hits match too little to be called matches."""
        return not self.asked.offset and nothing_matches(self.hits)

    @property
    def next(self) -> str | None:
        """The address of the page after this one."""
        after = self.asked.at(self.asked.offset + HITS_SHOWN)
        last = DEPTH - 1 if self.hybrid else MAX_OFFSET
        return after.address if self.more and after.offset <= last else None

    @property
    def previous(self) -> str | None:
        """The address of the page before this one."""
        before = self.asked.at(self.asked.offset - HITS_SHOWN)
        return before.address if self.asked.offset else None


def asked_in_address(request: Request) -> Asked:
    """What an address asks for."""
    return Asked.of(request.query_params.multi_items())


async def asked_in_form(request: Request) -> Asked:
    """What a form asks for, beside the files in it."""
    form = await request.form()
    return Asked.of((name, value) for name, value in form.multi_items() if isinstance(value, str))


def make_pages(searcher: Searcher, uploads: Uploads, count: Callable[[Query], object]) -> APIRouter:
    """The page at ``/``, and the pictures that were sent to it at ``/upload/…``.

    ``count`` is told of every search.
    """
    pages = APIRouter(include_in_schema=False)

    def show(request: Request, view: View) -> Response:
        return render(
            request,
            page="page.html",
            fragment="found.html",
            status=200 if view.error is None else 400,
            asked=view.asked,
            view=view,
            languages=_choices(searcher, view.asked.language),
            pictures=searcher.collection.files(),
            captions=searcher.has_captions,
            places=searcher.tells_places,
        )

    @pages.get("/")
    def look(request: Request, asked: Annotated[Asked, Depends(asked_in_address)]) -> Response:
        if "also" in request.query_params:  # what was added gets its place in the address
            return RedirectResponse(asked.address, status_code=303)
        view = View(asked=asked)
        _attempt(view, lambda: _find(searcher, uploads, view, count))
        return show(request, view)

    @pages.post("/")
    def look_by_picture(
        request: Request,
        image: Annotated[UploadFile, File()],
        asked: Annotated[Asked, Depends(asked_in_form)],
    ) -> Response:
        try:
            token = _kept(uploads, image)
        except PolyglanceError as error:
            parts = _parts(searcher, uploads, asked)
            return show(request, View(asked=asked, parts=parts, error=error))
        return RedirectResponse(asked.with_upload(token).address, status_code=303)

    @pages.get("/upload/{token}")
    def upload(token: str) -> Response:
        try:
            content = uploads[token].thumbnail
        except QueryError:
            return Response(status_code=404)
        headers = {"cache-control": "private, no-store"}
        return Response(content, media_type="image/jpeg", headers=headers)

    return pages


def _kept(uploads: Uploads, image: UploadFile) -> str:
    content = image.file.read()
    if not content:
        raise QueryError("choose a picture file first")
    try:
        return uploads.keep(PurePosixPath(image.filename or "").name, content)
    except PictureError as error:
        raise QueryError("your picture cannot be read: {name}", name=str(error)) from None


def _attempt(view: View, find: Callable[[], None]) -> None:
    started = time.perf_counter()
    try:
        find()
    except CollectionError:  # not the user's
        raise
    except PolyglanceError as error:
        view.error = error
    view.milliseconds = 1e3 * (time.perf_counter() - started)


def _find(
    searcher: Searcher, uploads: Uploads, view: View, count: Callable[[Query], object]
) -> None:
    asked = view.asked
    view.parts = _parts(searcher, uploads, asked)
    view.filters = Filters.of(**asked.typed)
    view.matching = searcher.matching(view.filters)
    if not asked and view.filters:
        listed = searcher.newest(top=HITS_SHOWN + 1, offset=asked.offset, filters=view.filters)
        view.newest, view.more = listed[:HITS_SHOWN], len(listed) > HITS_SHOWN
        return
    if not asked:
        view.samples = searcher.sample(SAMPLES_SHOWN)
        return
    query = searcher.understand(asked.query(uploads))
    count(query)
    if query.text is not None:
        view.guess = query.texts[0].guess
        view.spoken = query.language
        view.explains = searcher.explains
        if searcher.language_warning(query.language):
            view.unlearned = tuple(searcher.encoder.languages)
    view.hybrid = asked.hybrid and bool(query.texts)  # pictures have no words to look for
    shown = min(HITS_SHOWN, max(1, DEPTH - asked.offset)) if view.hybrid else HITS_SHOWN
    found = searcher.search(
        query,
        top=shown + 1,
        offset=asked.offset,
        filters=view.filters,
        hybrid=view.hybrid,
        others=True,
    )
    view.hits, view.more = found[:shown], len(found) > shown


def _parts(searcher: Searcher, uploads: Uploads, asked: Asked) -> list[Shown]:
    return [_shown(searcher, uploads, part) for part in asked.parts]


def _shown(searcher: Searcher, uploads: Uploads, part: Part) -> Shown:
    """Also of a picture that is gone: the query tells of it, and the page lets it be taken out."""
    if part.kind == "upload" and part.content in uploads:
        name = uploads[part.content].name
        return Shown(part=part, name=name, picture=f"/upload/{part.content}")
    hit = searcher.picture(part.content) if part.kind == "like" else None
    if hit is None:
        return Shown(part=part)
    return Shown(part=part, name=PurePosixPath(hit.name).name, picture=thumbnail_address(hit))


def _choices(searcher: Searcher, tag: str) -> list[tuple[str, str]]:
    """(tag, name) of the languages on offer, by name; what is chosen is always among them."""
    tags = {*searcher.encoder.languages, *([tag] if tag else [])} - {NOT_GIVEN}
    return sorted(
        ((tag, native_name(tag)) for tag in tags), key=lambda choice: choice[1].casefold()
    )
