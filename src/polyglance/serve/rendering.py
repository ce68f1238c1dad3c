"""Templates in each language of the interface, and what they need to say about hits."""

from __future__ import annotations

from functools import cache, partial
from pathlib import PurePosixPath
from typing import Any

from fastapi import Request, Response
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, PackageLoader, select_autoescape

from polyglance.search.hit import Hit
from polyglance.serve.api import thumbnail_address
from polyglance.serve.asked import Asked
from polyglance.serve.fragments import as_fragment, wants_fragment
from polyglance.serve.interface import Interface, chosen, interface, spoken
from polyglance.serve.languages import native_name

NARROWEST, WIDEST = 5, 30  # shapes that grid.css knows, in tenths of the height


def render(
    request: Request, *, page: str, fragment: str, asked: Asked, status: int = 200, **context: Any
) -> Response:
    """A whole page, or the part of it that htmx asks for, in the reader's language."""
    ui = chosen(asked.ui, request.headers.get("accept-language", ""))
    context |= {"asked": asked, "interfaces": [interface(tag) for tag in spoken()]}
    name = fragment if wants_fragment(request) else page
    return as_fragment(
        _templates(ui.tag).TemplateResponse(request, name, context, status_code=status)
    )


@cache
def _templates(tag: str) -> Jinja2Templates:
    return Jinja2Templates(env=environment(interface(tag)))


@cache
def environment(ui: Interface) -> Environment:
    """Templates whose words, numbers and dates are those of an interface."""
    made: Any = Environment(
        loader=PackageLoader("polyglance.serve", "templates"),
        extensions=["jinja2.ext.i18n"],
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_translations(ui.translations, newstyle=True)
    made.globals["ui"] = ui
    made.filters |= {
        "thumbnail": thumbnail_address,
        "native_name": native_name,
        "label": partial(_label, ui.tag),
        "shape": _shape,
        "number": ui.number,
        "score": ui.score,
        "day": ui.day,
        "moment": ui.moment,
        "told": ui.told,
    }
    environment: Environment = made
    return environment


def _label(ui: str, hit: Hit, tag: str | None) -> tuple[str, str]:
    """(text, its language) of a picture: its caption in the language asked, or its file name."""
    for language in (tag, ui, "en"):
        if language and (captions := hit.captions.get(language)):
            return captions[0], language
    return PurePosixPath(hit.name).name, ""


def _shape(hit: Hit) -> int:
    """Width in tenths of the height."""
    return min(max(round(10 * hit.width / max(hit.height, 1)), NARROWEST), WIDEST)
