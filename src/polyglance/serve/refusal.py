"""A refusal of what stands before the application: one sentence, on the page in its language.

Programs get it as plain English text. A browser gets a page that loads nothing else, which would
be refused as well, and htmx what belongs where the results stand.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from fastapi import Request

from polyglance.errors import PolyglanceError
from polyglance.serve.asgi import Header, Scope, Send
from polyglance.serve.fragments import wants_fragment
from polyglance.serve.interface import chosen
from polyglance.serve.rendering import environment

API = "/api/"
# On the page, htmx puts a refusal where the results stand, and not in the place of their element.
WITHIN = {"hx-reswap": "innerHTML"}
_OF_THE_PAGE = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "vary": "Accept, Accept-Language, HX-Request, HX-History-Restore-Request",
}


async def refuse(
    scope: Scope,
    send: Send,
    status: int,
    reason: PolyglanceError,
    headers: Iterable[Header] = (),
) -> None:
    """Answer a request with a status and a sentence."""
    content, own = told(Request(scope), reason)
    encoded = [(name.encode(), value.encode()) for name, value in own.items()]
    await send({"type": "http.response.start", "status": status, "headers": [*encoded, *headers]})
    await send({"type": "http.response.body", "body": content.encode()})


def told(request: Request, reason: PolyglanceError) -> tuple[str, dict[str, str]]:
    """A refusal as who asked can read it, and the headers that belong to it."""
    if not is_for_the_page(request):
        return f"{reason}\n", {"content-type": "text/plain; charset=utf-8", **WITHIN}
    ui = chosen(_asked_language(request), request.headers.get("accept-language", ""))
    name = "refused.html" if wants_fragment(request) else "refused_page.html"
    content = environment(ui).get_template(name).render(error=reason)
    return content, {**_OF_THE_PAGE, **WITHIN}


def is_for_the_page(request: Request) -> bool:
    """Whether a person will read the answer in a browser."""
    accepts = "text/html" in request.headers.get("accept", "")
    asks = accepts or "hx-request" in request.headers
    return asks and not request.scope["path"].startswith(API)


def _asked_language(request: Request) -> str:
    """What the address names, or for a form that htmx sends the address of its page."""
    if ui := request.query_params.get("ui"):
        return ui
    try:
        page = urlsplit(request.headers.get("hx-current-url", ""))
    except ValueError:
        return ""
    return parse_qs(page.query).get("ui", [""])[0]
