"""Filters in the API and on the page: addresses hold them, and what passes none is said."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from support.colours import picture

HTMX = {"hx-request": "true"}


@pytest.fixture
def photos(photos: Path) -> Path:
    """With a folder whose name would be SQL, a pattern, and an address's syntax."""
    odd = photos / "it's 100%_&=雪"
    picture(odd / "tall.png", "blue", size=(40, 90))
    picture(odd / "wide.jpg", "green", size=(300, 200))
    return photos


ODD = "it's 100%_&=雪"


def paths(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return sorted(hit["path"] for hit in answer.json()["hits"])


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"folder": ODD}, [f"{ODD}/tall.png", f"{ODD}/wide.jpg"]),
        ({"kind": "jpg"}, [f"{ODD}/wide.jpg"]),
        ({"min_size": 100}, [f"{ODD}/wide.jpg"]),
        ({"orientation": "portrait"}, [f"{ODD}/tall.png"]),
        ({"folder": "red"}, ["red/mostly <red> & blue.png", "red/red.png"]),
        ({"since": "2024"}, []),
        ({"caption": "dog"}, []),
    ],
)
def test_api(client: TestClient, filters: dict[str, Any], expected: list[str]) -> None:
    answer = client.get("/api/v1/search", params={"q": "rot", **filters})
    assert paths(answer) == expected
    assert answer.json()["matching"] == len(expected)


def test_api_by_picture_and_similar(client: TestClient, photos: Path) -> None:
    upload = {"image": ("q.png", (photos / "red" / "red.png").read_bytes())}
    answer = client.post("/api/v1/search/image", files=upload, params={"folder": ODD})
    assert paths(answer) == [f"{ODD}/tall.png", f"{ODD}/wide.jpg"]
    red = client.get("/api/v1/search?q=rot").json()["hits"][0]
    answer = client.get(f"/api/v1/similar/{red['id']}", params={"folder": "red"})
    assert paths(answer) == ["red/mostly <red> & blue.png"]


@pytest.mark.parametrize(
    ("filters", "status", "reason"),
    [
        ({"since": "May"}, 400, "since: 'May' is not a date"),
        ({"since": "2024", "until": "2023"}, 400, "no day is since"),
        ({"kind": "exe"}, 400, "no kind of file"),
        ({"min_size": 0}, 422, "greater than or equal to 1"),
        ({"orientation": "up"}, 422, "landscape"),
        ({"caption": "x" * 201}, 422, "at most 200 characters"),
    ],
)
def test_bad_filters(client: TestClient, filters: dict[str, Any], status: int, reason: str) -> None:
    answer = client.get("/api/v1/search", params={"q": "rot", **filters})
    assert (answer.status_code, reason in answer.text) == (status, True)


def names(html: str) -> list[str]:
    return re.findall(r'<bdi class="name">(.*?)</bdi>', html)


def test_page_holds_the_filters_in_address_fields_and_links(client: TestClient) -> None:
    page = client.get("/", params={"q": "rot", "folder": ODD, "min_size": "50"}).text
    assert names(page) == ["wide.jpg"]
    assert '<details id="filters" class="filters" open>' in page
    assert 'Filters<span id="filter-count"> (2)</span>' in page
    assert f'value="{ODD}"' in unescape(page)
    assert "1 best of 1" in page
    like = re.search(r'class="like" href="(.*?)"', page)
    assert like
    assert names(client.get(unescape(like[1])).text) == []  # no other is so large
    view = re.search(r'class="why" id=".*?" href="(.*?)"', page)
    assert view
    back = re.search(r'class="back" href="(.*?)"', client.get(unescape(view[1])).text)
    assert back
    assert names(client.get(unescape(back[1])).text) == ["wide.jpg"]
    cleared = re.search(r'class="chip" href="(.*?)"', page)
    assert cleared
    assert unescape(cleared[1]) == "/?q=rot"


def test_the_number_of_filters_comes_with_the_hits(client: TestClient) -> None:
    asked = {"q": "rot", "folder": "red", "min_size": "1", "kind": "png"}
    found = client.get("/", params=asked, headers=HTMX).text
    assert found.count('<span id="filter-count" hx-swap-oob="true"> (3)</span>') == 1
    assert "hx-swap-oob" not in client.get("/", params=asked).text
    found = client.get("/", params={"q": "rot"}, headers=HTMX).text
    assert '<span id="filter-count" hx-swap-oob="true"></span>' in found


def test_page_without_words_shows_what_passes(client: TestClient) -> None:
    assert sorted(names(client.get("/", params={"folder": ODD}).text)) == ["tall.png", "wide.jpg"]
    assert 'details id="filters" class="filters">' in client.get("/").text


def test_page_says_that_nothing_passes(client: TestClient) -> None:
    for asked in ({"q": "rot"}, {}):
        page = client.get("/", params={**asked, "since": "2024"}, headers=HTMX).text
        assert "No picture passes the filters" in page
        assert "since Jan 1, 2024" in page
        assert "Clear filters" in page
    yellow = client.get("/api/v1/search?q=gelb").json()["hits"][0]
    page = client.get("/", params={"like": yellow["id"], "folder": "yellow"}).text
    assert "No other picture passes the filters" in page


def test_page_with_mistaken_filters_keeps_them(client: TestClient) -> None:
    answer = client.get("/", params={"q": "rot", "kind": '"><exe>'})
    assert answer.status_code == 400
    assert "is no kind of file" in answer.text
    assert "<exe>" not in answer.text
    assert 'value="&#34;&gt;&lt;exe&gt;"' in answer.text


def test_own_picture_is_filtered(client: TestClient, photos: Path) -> None:
    upload = {"image": ("q.png", (photos / "red" / "red.png").read_bytes())}
    answer = client.post("/", files=upload, data={"folder": ODD, "since": ""}, headers=HTMX)
    assert sorted(names(answer.text)) == ["tall.png", "wide.jpg"]
