"""Hybrid search on the page: offered where there are captions, kept in the address, told."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from fastapi.testclient import TestClient

from polyglance.search import searcher as searching
from polyglance.search.collection import Collection
from polyglance.search.indexer import index
from polyglance.serve import pages
from polyglance.serve.app import create_app
from support.colours import PALETTE, ColourEncoder, picture

ADDRESS = "http://127.0.0.1:8000"
LABEL = "Look in captions, too (hybrid)"
CAPTIONS = {"red": "Mohn im Feld", "blue": "Meer", "green": "Wald", "yellow": "Mohn und Raps"}


def captioned(folder: Path) -> FastAPI:
    """A collection of a manifest: all colours, some with a German caption."""
    lines = []
    for colour in PALETTE:
        picture(folder / f"{colour}.png", colour, size=(96, 64))
        captions = {"de": [CAPTIONS[colour]]} if colour in CAPTIONS else {}
        lines.append(json.dumps({"image": f"{colour}.png", "captions": captions}))
    (folder / "m.jsonl").write_text("\n".join(lines) + "\n")
    index(folder / "m.jsonl", folder.parent / "captioned", encoder=ColourEncoder())
    return create_app(Collection.open(folder.parent / "captioned"), ColourEncoder())


@pytest.fixture
def app(tmp_path: Path, request: pytest.FixtureRequest) -> FastAPI:
    return captioned(tmp_path / "manifest")


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app, base_url=ADDRESS)


def names(html: str) -> list[str]:
    return re.findall(r'href="/view/[^"]*"[^>]*title="(\w+)\.png"', html)


def test_both_rankings_are_joined(client: TestClient) -> None:
    by_vectors = client.get("/?q=blauer+Mohn&language=de").text
    assert names(by_vectors)[0] == "blue"
    assert "by captions" not in by_vectors
    both = client.get("/?q=blauer+Mohn&language=de&hybrid=true").text
    assert set(names(both)[:3]) == {"blue", "red", "yellow"}
    assert names(both) != names(by_vectors)
    assert ">by captions, too</span>" in both
    assert "; number 1 by captions" in both
    assert "; number 2 by captions" in both
    asked = {"q": "blauer Mohn", "language": "de", "hybrid": "true"}
    hits = client.get("/api/v1/search", params=asked).json()["hits"]
    assert [hit["path"] for hit in hits] == [f"{name}.png" for name in names(both)]


def test_it_is_kept_in_fields_and_links(client: TestClient) -> None:
    page = client.get("/?q=Mohn&hybrid=true&folder=.").text
    assert 'name="hybrid" type="checkbox" value="true" checked>' in page
    assert '<details id="filters" class="filters" open>' in page
    for kind in ("like", "less"):
        link = re.search(rf'<a class="{kind}" href="(.*?)"', page)
        assert link
        assert "&hybrid=true" in unescape(link[1])
    assert 'value="true" checked' not in client.get("/?q=Mohn").text
    assert 'value="true">' in client.get("/?q=Mohn").text
    assert 'value="true" checked' not in client.get("/?q=Mohn&hybrid=1").text


def test_it_is_offered_only_where_there_are_captions(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "red.png", "red")
    index(tmp_path / "photos", tmp_path / "plain", encoder=ColourEncoder())
    app = create_app(Collection.open(tmp_path / "plain"), ColourEncoder())
    client = TestClient(app, base_url=ADDRESS)
    assert 'name="hybrid"' not in client.get("/?q=rot").text
    answer = client.get("/?q=rot&hybrid=true&ui=de")
    assert answer.status_code == 400
    assert "kein Bild dieser Sammlung hat eine Beschreibung" in answer.text
    assert 'name="hybrid"' not in answer.text


def test_pictures_alone_are_searched_by_vectors(client: TestClient) -> None:
    red = client.get("/api/v1/search?q=rot").json()["hits"][0]["id"]
    answer = client.get(f"/?like={red}&hybrid=true")
    assert answer.status_code == 200
    assert "by captions, too" not in answer.text
    assert len(names(answer.text)) == 6
    assert 'value="true" checked' in answer.text  # words may follow


def test_words_with_a_minus_are_refused_in_every_language(client: TestClient) -> None:
    answer = client.get("/?q=Mohn&text=Raps@-1&hybrid=true&ui=de")
    assert answer.status_code == 400
    assert "Wörter mit Minus lassen sich nicht aus Beschreibungen herausnehmen" in answer.text


def test_pages_end_where_the_ranking_does(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "HITS_SHOWN", 2)
    for module in (pages, searching):
        monkeypatch.setattr(module, "DEPTH", 5)
    seen, address = [], "/?q=Mohn&hybrid=true"
    while address:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        seen.append(names(answer.text))
        link = re.search(r'rel="next" href="(.*?)"', answer.text)
        address = unescape(link[1]) if link else ""
    assert [len(page) for page in seen] == [2, 2, 1]
    assert client.get("/?q=Mohn&offset=4").status_code == 200
    answer = client.get("/?q=Mohn&hybrid=true&offset=6")
    assert (answer.status_code, "hybrid search ends with the 5th" in answer.text) == (400, True)


@pytest.mark.browser
def test_in_the_browser(page: Any, address: str) -> None:
    page.locator("#filters summary").click()
    page.get_by_label(LABEL).check()
    page.get_by_label("Describe a picture").fill("blauer Mohn")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_text("by captions, too").wait_for()
    page.wait_for_url(f"{address}/?q=blauer+Mohn&hybrid=true")
    first = page.locator(".tile .name").first.inner_text()
    assert first in {"Meer", "Mohn im Feld", "Mohn und Raps"}
    assert Axe().run(page).response["violations"] == []
    page.reload()
    assert page.get_by_label(LABEL).is_checked()
    page.get_by_label(LABEL).press("Space")
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("by captions, too").wait_for(state="detached")
    page.wait_for_url(f"{address}/?q=blauer+Mohn")
