"""Pages and parts of pages: htmx asks for a part where a browser asks for the whole."""

from __future__ import annotations

from fastapi import Request, Response


def wants_fragment(request: Request) -> bool:
    """Whether htmx asks, for something to put into the page that is there."""
    headers = request.headers
    return "hx-request" in headers and "hx-history-restore-request" not in headers


def as_fragment(response: Response) -> Response:
    """An answer that no cache may give to the other kind of request, or keep."""
    response.headers["vary"] = "HX-Request, HX-History-Restore-Request"
    response.headers["cache-control"] = "no-store"
    return response
