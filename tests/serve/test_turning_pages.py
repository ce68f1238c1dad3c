"""Offsets in the API, and the page's links to the pages before and after."""

from __future__ import annotations

import re
from html import unescape
from pathlib import PurePosixPath

import pytest
from fastapi.testclient import TestClient

from polyglance.serve import pages


def paths(client: TestClient, offset: int) -> list[str]:
    answer = client.get(f"/api/v1/search?q=rot&top=3&offset={offset}").json()
    assert answer["offset"] == offset
    assert answer["more"] == (offset + 3 < 8)
    return [hit["path"] for hit in answer["hits"]]


def test_api(client: TestClient) -> None:
    whole = [hit["path"] for hit in client.get("/api/v1/search?q=rot").json()["hits"]]
    assert paths(client, 0) + paths(client, 3) + paths(client, 6) == whole
    assert paths(client, 8) == []
    question = {"terms": [{"text": "rot"}], "top": 2, "offset": 6}
    answer = client.post("/api/v1/search", json=question).json()
    assert ([hit["path"] for hit in answer["hits"]], answer["more"]) == (whole[6:], False)
    for offset in (-1, 10_001, "x"):
        assert client.get(f"/api/v1/search?q=rot&offset={offset}").status_code == 422


def test_similar(client: TestClient) -> None:
    red = client.get("/api/v1/search?q=rot").json()["hits"][0]["id"]
    answer = client.get(f"/api/v1/similar/{red}?top=3&offset=4").json()
    assert (len(answer["hits"]), answer["more"]) == (3, False)


def names(html: str) -> list[str]:
    return re.findall(r'<bdi class="name">(.*?)</bdi>', html)


def test_page_turns(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = names(client.get("/?q=rot").text)
    assert 'class="pages"' not in client.get("/?q=rot").text
    monkeypatch.setattr(pages, "HITS_SHOWN", 3)
    seen, address = [], "/?q=rot&language=de&min_size=1"
    while True:
        html = client.get(address).text
        seen += names(html)
        link = re.search(r'rel="next" href="(.*?)"', html)
        if link is None:
            break
        address = unescape(link[1])
        assert "language=de" in address
        assert "min_size=1" in address
    assert seen == everything
    assert "7–8 of 8" in html
    back = re.search(r'rel="prev" href="(.*?)"', html)
    assert back
    assert names(client.get(unescape(back[1])).text) == everything[3:6]


def test_beyond_the_end(client: TestClient) -> None:
    html = client.get("/?q=rot&offset=100").text
    assert "No more pictures" in html
    assert names(client.get("/?q=rot&offset=-1").text) == names(client.get("/?q=rot").text)
    answer = client.get("/?q=rot&offset=99999")
    assert (answer.status_code, "offset must be between" in answer.text) == (400, True)


def test_filters_alone_turn_pages_too(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = client.get("/api/v1/pictures?min_size=1").json()
    everything = [PurePosixPath(each["path"]).name for each in listed["pictures"]]
    assert len(everything) == listed["matching"] == 8
    monkeypatch.setattr(pages, "HITS_SHOWN", 3)
    seen, address = [], "/?min_size=1"
    while True:
        html = client.get(address).text
        assert "Newest first" in html
        assert 'class="score"' not in html  # nothing was asked
        seen += map(unescape, names(html))
        link = re.search(r'rel="next" href="(.*?)"', html)
        assert ("Older pictures" in html) == (link is not None)
        if link is None:
            break
        address = unescape(link[1])
    assert seen == everything
    assert "7–8 of 8" in html
    beyond = client.get("/?min_size=1&offset=30").text
    assert "No more pictures" in beyond
    assert "Newer pictures" in beyond


def test_listing(client: TestClient) -> None:
    whole = client.get("/api/v1/pictures").json()
    first = client.get("/api/v1/pictures?top=5").json()
    rest = client.get("/api/v1/pictures?top=5&offset=5").json()
    assert first["pictures"] + rest["pictures"] == whole["pictures"]
    assert [answer["more"] for answer in (whole, first, rest)] == [False, True, False]
    assert client.get("/api/v1/pictures?folder=red").json()["matching"] == 2
    assert client.get("/api/v1/pictures?since=yesterday").status_code == 400
    assert client.get("/api/v1/pictures?near=50,14,5km").status_code == 400  # places are not told
    [picture] = client.get("/api/v1/pictures?top=1").json()["pictures"]
    assert client.get(picture["thumbnail"]).status_code == 200
