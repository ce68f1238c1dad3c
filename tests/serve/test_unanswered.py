"""The page in Chromium where the server refuses, or something else answers, or nothing does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from polyglance.errors import CollectionError
from support.colours import picture

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page that may log errors: the browser tells of each request that fails."""
    context = browser.new_context(locale="en")
    opened = context.new_page()
    opened.goto(address)
    yield opened
    context.close()


@contextmanager
def unreadable(app: FastAPI, what: str) -> Iterator[None]:
    """Meanwhile the searcher can no longer do something, and the server refuses with 503."""

    def damaged(*_arguments: Any, **_options: Any) -> None:
        raise CollectionError("damaged")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app.state.searcher, what, damaged)
        yield


def search(page: Any, words: str) -> None:
    page.wait_for_function("() => document.querySelector('#search[data-htmx-powered]')")
    page.get_by_label("Describe a picture").fill(words)
    page.get_by_role("button", name="Search", exact=True).click()


BARE = {"content_type": "text/plain", "body": "Internal Server Error"}
PROXY = {"content_type": "text/html", "body": "<html><h1>502 Bad Gateway</h1></html>"}


@pytest.mark.parametrize(
    "answer", [None, {"status": 500, **BARE}, {"status": 502, **PROXY}, {"status": 200, **PROXY}]
)
def test_what_does_not_answer_is_told_and_asked_again(
    page: Any, address: str, answer: dict[str, Any] | None
) -> None:
    def other(route: Any) -> None:
        if answer:
            route.fulfill(**answer)
        else:
            route.abort()

    page.route("**/?q=rot", other)
    search(page, "rot")
    page.get_by_role("alert").get_by_text("The server did not answer.").wait_for()
    assert page.locator("main#results").count() == 1
    assert page.locator(".tile").count() == 0
    page.unroute("**/?q=rot")
    page.get_by_role("link", name="Try again").click()
    page.get_by_role("heading", name="rot").wait_for()
    assert page.url == f"{address}/?q=rot"


def test_a_refusal_keeps_the_parts_of_the_query(page: Any, address: str, app: FastAPI) -> None:
    page.goto(f"{address}/?text=blau@de,-1")
    with unreadable(app, "understand"):
        search(page, "rot")
        page.get_by_role("alert").get_by_text("cannot be read at present").wait_for()
    search(page, "gelb")
    page.get_by_role("heading", name="gelb − blau").wait_for()


def test_a_refused_upload_keeps_the_query(page: Any, address: str, tmp_path: Path) -> None:
    asked = f"{address}/?q=rot&text=blau%40de%2C-1&ui=de"
    page.goto(asked)
    page.wait_for_function("() => document.querySelector('.upload[data-htmx-powered]')")
    (tmp_path / "mine.png").write_bytes(b"nothing")
    page.locator("#image").set_input_files(tmp_path / "mine.png")
    page.get_by_role("alert").get_by_text("Ihr Bild ist nicht lesbar").wait_for()
    assert page.url == asked
    assert page.locator(".part q").all_text_contents() == ["rot", "blau"]
    page.locator("#image").set_input_files(picture(tmp_path / "mine.png", "yellow"))
    page.get_by_role("heading", name="rot − blau + mine.png").wait_for()


def test_a_tile_that_cannot_be_explained_keeps_its_picture(
    page: Any, address: str, app: FastAPI
) -> None:
    page.goto(f"{address}/?q=rot")
    page.wait_for_function("() => document.querySelector('.why[data-htmx-powered]')")
    tile = page.locator(".tile").first
    with unreadable(app, "compare"):
        tile.locator(".why").dispatch_event("click")
        tile.get_by_role("alert").get_by_text("cannot be read at present").wait_for()
    assert tile.locator(".picture img").is_visible()
    tile.locator(".why").dispatch_event("click")
    tile.get_by_alt_text("brightest where the model sees").wait_for()
    assert tile.get_by_role("alert").count() == 0
