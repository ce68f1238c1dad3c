"""A small collection, an application over it, and clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from polyglance.search.collection import Collection
from polyglance.search.indexer import index
from polyglance.serve.app import create_app
from support.browser import chromium, launched, served
from support.colours import PALETTE, ColourEncoder, picture

ADDRESS = "http://127.0.0.1:8000"
IN_HAND = "!document.querySelector('[hx-get]:not([data-htmx-powered])')"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for colour in PALETTE:
        picture(folder / colour / f"{colour}.png", colour, size=(96, 64))
    picture(folder / "red" / "mostly <red> & blue.png", "red", "red", "blue")
    return folder


@pytest.fixture
def encoder() -> ColourEncoder:
    return ColourEncoder()


@pytest.fixture
def app(photos: Path, encoder: ColourEncoder) -> FastAPI:
    index(photos, photos.parent / "collection", encoder=encoder)
    return create_app(Collection.open(photos.parent / "collection"), encoder)


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app, base_url=ADDRESS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    executable = chromium()
    if executable is None:
        pytest.skip("no chromium here (Debian: apt-get install chromium)")
    with launched(executable) as started:
        yield started


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    with served(app) as where:
        yield where


def after_htmx(act: Callable[..., Any], page_of: Callable[[Any], Any]) -> Callable[..., Any]:
    """An action that waits until htmx has taken what is on the page in hand.

    Before, links lead to whole pages, as they do without JavaScript; people rarely are so fast.
    """

    def patient(actor: Any, *arguments: Any, **options: Any) -> Any:
        page_of(actor).wait_for_function(IN_HAND)
        return act(actor, *arguments, **options)

    return patient


@pytest.fixture
def page(browser: Any, address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A page that must make no request elsewhere and log no error."""
    from playwright.sync_api import Keyboard, Locator

    context = browser.new_context(viewport={"width": 1200, "height": 800})
    opened = context.new_page()
    monkeypatch.setattr(Locator, "click", after_htmx(Locator.click, lambda each: each.page))
    monkeypatch.setattr(Keyboard, "press", after_htmx(Keyboard.press, lambda _: opened))
    requests: list[str] = []
    complaints: list[tuple[str, str]] = []
    context.on("request", lambda request: requests.append(request.url))
    opened.on("console", lambda message: complaints.append((message.type, message.text)))
    opened.on("pageerror", lambda error: complaints.append(("error", str(error))))
    opened.goto(address)
    yield opened
    assert [url for url in requests if not url.startswith(address)] == []
    # Chromium notes for information that someone was faster than the focus of the page's box.
    assert [told for told in complaints if told[0] != "info"] == []
    context.close()
