"""The web page: one address for everything that can be asked, with and without JavaScript."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile
from fastapi import Query as Parameter
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, PackageLoader, select_autoescape

from polyglance.errors import PolyglanceError
from polyglance.search.filters import EVERYTHING, Filters
from polyglance.search.query import MAX_OFFSET, Hit, Query, Searcher
from polyglance.search.relevance import nothing_matches
from polyglance.search.terms import NOT_GIVEN
from polyglance.serve.api import thumbnail_address
from polyglance.serve.filtering import address, typed_in_address, typed_in_form
from polyglance.serve.fragments import as_fragment, wants_fragment
from polyglance.serve.languages import native_name
from polyglance.serve.why import Explainer, address_of_words, make_why
from polyglance.text.language_guess import Guess

HITS_SHOWN = 60
SAMPLES_SHOWN = 24


@dataclass(kw_only=True)
class View:
    """What a page shows.

    Attributes:
        text: in the search box.
        language: chosen beside it; empty where none is.
        spoken: the tag that reached the model; ``None`` where no words were searched.
        guess: of the language, where none was chosen.
        like: the picture of the collection that others are compared with.
        upload: name of the picture file that others are compared with.
        typed: name → content of the filter fields that are not empty.
        filters: what they mean.
        matching: how many pictures and videos pass the filters.
        offset: how many hits came on the pages before.
        more: whether there are hits after these.
        anyway: whether hits are shown though nothing matches well.
        hits: best first.
        samples: pictures to look at where nothing was asked.
        milliseconds: that the search took.
        words: the query's part of an address, where the model can say why it found a picture.
        warning: about the language.
        error: for the user, instead of hits.
    """

    text: str = ""
    language: str = ""
    spoken: str | None = None
    guess: Guess | None = None
    like: Hit | None = None
    upload: str | None = None
    typed: dict[str, str] = field(default_factory=dict)
    filters: Filters = EVERYTHING
    matching: int = 0
    offset: int = 0
    more: bool = False
    anyway: bool = False
    hits: list[Hit] = field(default_factory=list)
    samples: list[Hit] = field(default_factory=list)
    milliseconds: float = 0.0
    words: str = ""
    warning: str | None = None
    error: str | None = None

    @property
    def unfiltered(self) -> str:
        """The address that asks the same of all pictures."""
        return self._address({})

    @property
    def no_match(self) -> bool:
        """Whether nothing matches well, and the nearest hits were not asked for all the same."""
        return self.offset == 0 and not self.anyway and nothing_matches(self.hits)

    @property
    def nearest(self) -> str:
        """The address that shows the nearest hits all the same."""
        return self._address({**self.typed, "anyway": "true"})

    @property
    def next(self) -> str | None:
        """The address of the page after this one; an uploaded picture has none."""
        after = self.offset + HITS_SHOWN
        shown = self.more and not self.upload and after <= MAX_OFFSET
        return self._address({**self.typed, "offset": str(after)}) if shown else None

    @property
    def previous(self) -> str | None:
        """The address of the page before this one."""
        before = max(0, self.offset - HITS_SHOWN)
        carried = {**self.typed, **({"offset": str(before)} if before else {})}
        return self._address(carried) if self.offset else None

    def _address(self, carried: Mapping[str, str]) -> str:
        like = self.like.id if self.like else ""
        anyway = "true" if self.anyway else ""
        return address(
            q=self.text, language=self.language, like=like, anyway=anyway, carried=carried
        )

    def show(self, found: list[Hit]) -> None:
        """Take hits, of which there is one more than fits where others follow."""
        self.hits, self.more = found[:HITS_SHOWN], len(found) > HITS_SHOWN


Typed = dict[str, str]


def make_pages(searcher: Searcher, explain: Explainer) -> APIRouter:
    """The page at ``/``, and those that say why a picture was found."""
    pages = APIRouter(include_in_schema=False)
    templates = Jinja2Templates(env=_environment())
    pages.include_router(make_why(searcher, explain, templates))

    def render(request: Request, view: View) -> Response:
        status = 200 if view.error is None else 400
        context = {
            "view": view,
            "languages": _choices(searcher, view.language),
            "pictures": searcher.collection.files(),
        }
        name = "results.html" if wants_fragment(request) else "page.html"
        return as_fragment(templates.TemplateResponse(request, name, context, status_code=status))

    @pages.get("/")
    def look(
        request: Request,
        typed: Annotated[Typed, Depends(typed_in_address)],
        q: str = "",
        language: str = "",
        like: str = "",
        offset: Annotated[int, Parameter(ge=0, le=MAX_OFFSET)] = 0,
        anyway: bool = False,
    ) -> Response:
        view = View(text=q, language=language, typed=typed, offset=offset, anyway=anyway)
        if like:
            _attempt(searcher, view, lambda: _find_like(searcher, view, like))
        elif q.strip():
            _attempt(searcher, view, lambda: _find(searcher, view, image=None))
        else:
            _attempt(searcher, view, lambda: _sample(searcher, view))
        return render(request, view)

    @pages.post("/")
    def look_by_picture(
        request: Request,
        image: Annotated[UploadFile, File()],
        typed: Annotated[Typed, Depends(typed_in_form)],
        q: Annotated[str, Form()] = "",
        language: Annotated[str, Form()] = "",
    ) -> Response:
        name = PurePosixPath(image.filename or "").name
        view = View(text=q, language=language, typed=typed, upload=name)
        content = image.file.read()
        if content:
            _attempt(searcher, view, lambda: _find(searcher, view, image=content))
        else:
            view.error = "choose a picture file first"
        return render(request, view)

    return pages


def _attempt(searcher: Searcher, view: View, find: Callable[[], None]) -> None:
    started = time.perf_counter()
    try:
        view.filters = Filters.of(**view.typed)
        view.typed = view.filters.given()
        view.matching = searcher.matching(view.filters)
        find()
    except PolyglanceError as error:
        view.error = str(error)
    view.milliseconds = 1e3 * (time.perf_counter() - started)


def _find(searcher: Searcher, view: View, *, image: bytes | None) -> None:
    query = searcher.understand(Query.of(view.text, language=view.language, image=image))
    if query.text is not None:
        view.guess = query.texts[0].guess
        view.spoken = query.language
        view.words = address_of_words(query) if searcher.explains else ""
        view.warning = searcher.language_warning(query.language)
    top, offset = HITS_SHOWN + 1, view.offset
    view.show(searcher.search(query, top=top, offset=offset, filters=view.filters))


def _find_like(searcher: Searcher, view: View, picture_id: str) -> None:
    view.like = searcher.picture(picture_id)
    top, offset = HITS_SHOWN + 1, view.offset
    view.show(searcher.similar(picture_id, top=top, offset=offset, filters=view.filters))


def _sample(searcher: Searcher, view: View) -> None:
    view.samples = searcher.sample(SAMPLES_SHOWN, filters=view.filters)


def _choices(searcher: Searcher, chosen: str) -> list[tuple[str, str]]:
    """(tag, name) of the languages on offer, by name; what is chosen is always among them."""
    tags = {*searcher.encoder.languages, *([chosen] if chosen else [])} - {NOT_GIVEN}
    return sorted(
        ((tag, native_name(tag)) for tag in tags), key=lambda choice: choice[1].casefold()
    )


def _environment() -> Environment:
    loader = PackageLoader("polyglance.serve", "templates")
    environment = Environment(loader=loader, autoescape=select_autoescape(), trim_blocks=True)
    environment.lstrip_blocks = True
    environment.filters["thumbnail"] = thumbnail_address
    environment.filters["native_name"] = native_name
    environment.filters["label"] = _label
    environment.globals["address"] = address
    return environment


def _label(hit: Hit, spoken: str | None) -> tuple[str, str]:
    """(text, its language) under a picture: its caption in the language asked, or its file name."""
    for language in (spoken, "en"):
        if language and (captions := hit.captions.get(language)):
            return captions[0], language
    return PurePosixPath(hit.name).name, ""


STATIC = Path(__file__).parent / "static"
