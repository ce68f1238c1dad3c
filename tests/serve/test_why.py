"""Why a picture was found: the page, the tile, the picture with its map, and the API."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from support.colours import ColourEncoder

HTMX = {"hx-request": "true"}
ASKED = "?q=blau&language=de"  # of a picture that is red but for its right third


@pytest.fixture
def key(client: TestClient) -> str:
    hits = client.get(f"/api/v1/search{ASKED}").json()["hits"]
    return next(str(hit["id"]) for hit in hits if "mostly" in hit["path"])


def test_hits_of_words_link_to_why(client: TestClient, key: str) -> None:
    page = client.get(f"/{ASKED}").text
    assert f'href="/view/{key}?q=blau&amp;language=de&amp;heat=true"' in page
    assert f'hx-get="/tile/{key}?q=blau&amp;language=de&amp;heat=true"' in page
    assert len(re.findall(r'class="why"', page)) == 8


@pytest.mark.parametrize("address", ["/", "/?like={key}"])
def test_pictures_that_no_words_found_do_not(client: TestClient, key: str, address: str) -> None:
    assert "heat=true" not in client.get(address.format(key=key)).text


def test_models_that_cannot_say_where_offer_no_link(
    client: TestClient, encoder: ColourEncoder
) -> None:
    encoder.localises = False
    assert "heat=true" not in client.get(f"/{ASKED}").text


def test_the_page_without_javascript(client: TestClient, encoder: ColourEncoder, key: str) -> None:
    answer = client.get(f"/view/{key}{ASKED}&heat=true")
    assert answer.status_code == 200
    page = answer.text
    assert page.lstrip().startswith("<!doctype html>")
    assert '<bdi lang="de">Deutsch</bdi> (de)' in page
    assert "best is the top right." in page  # the first of equals
    assert 'alt="mostly &lt;red&gt; &amp; blue.png, brightest where the model sees' in page
    assert 'href="/?q=blau&amp;language=de"' in page
    score = client.get(f"/api/v1/explain/{key}{ASKED}").json()["score"]
    assert f"<dt>Score</dt><dd>{score:.2f}</dd>" in page
    assert encoder.explained == [("blau", "de")]  # once for the page and the API


def test_htmx_gets_the_tile_and_can_give_it_back(client: TestClient, key: str) -> None:
    answer = client.get(f"/tile/{key}{ASKED}&heat=true", headers=HTMX)
    assert answer.text.strip().startswith('<li class="tile r15">')
    assert "HX-Request" in answer.headers["vary"]
    assert f'src="/heat/{key}?q=blau&amp;language=de"' in answer.text
    assert "Just the picture" in answer.text
    back = client.get(f"/tile/{key}{ASKED}", headers=HTMX).text
    assert "/heat/" not in back
    assert "Why this?" in back
    (shown,) = re.findall(r'class="score"[^>]*>([\d.]+)<', back)
    assert f">{shown}</span>" in client.get(f"/{ASKED}").text


def test_what_else_was_asked_counts_for_the_score_alone(
    client: TestClient, encoder: ColourEncoder, key: str
) -> None:
    plain = client.get(f"/tile/{key}{ASKED}&heat=true").text
    composed = client.get(f"/tile/{key}{ASKED}&text=rot@-1&heat=true").text
    score = re.compile(r'class="score"[^>]*>(.*?)<')
    assert score.findall(plain) != score.findall(composed)
    assert encoder.explained == [("blau", "de")]


def test_view_without_a_query_has_no_score(client: TestClient, key: str) -> None:
    page = client.get(f"/view/{key}?heat=true").text
    assert "mostly &lt;red&gt; &amp; blue.png" in page
    assert "<dt>Score</dt>" not in page
    assert "/heat/" not in page


def test_htmx_gets_the_view_alone(client: TestClient, key: str) -> None:
    answer = client.get(f"/view/{key}{ASKED}", headers=HTMX)
    assert answer.text.strip().startswith("<article")
    assert f'data-picture="{key}"' in answer.text


def test_the_picture_is_bright_where_the_words_are(
    client: TestClient, encoder: ColourEncoder, key: str
) -> None:
    answer = client.get(f"/heat/{key}{ASKED}")
    assert answer.headers["content-type"] == "image/jpeg"
    picture = Image.open(BytesIO(answer.content))
    assert picture.size == (48, 32)
    bright = np.asarray(picture.convert("L"), np.float32).mean(0)  # (columns,)
    assert bright[40:].mean() > bright[:24].mean() + 50
    again = client.get(f"/heat/{key}{ASKED}", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(f"/heat/{key}?q=rot&language=de")
    assert other.headers["etag"] != answer.headers["etag"]
    client.get(f"/heat/{key}{ASKED}")
    assert encoder.explained == [("blau", "de"), ("rot", "de")]


def test_the_api_gives_the_map(client: TestClient, key: str) -> None:
    answer = client.get(f"/api/v1/explain/{key}", params={"q": "ein blaues Bild"}).json()
    values = np.array(answer["values"])
    assert values.shape == (16, 16)
    assert answer["language"] == "de"  # guessed
    assert answer["peak"]["x"] > 0.66
    assert answer["visible"] == [0, 0, 1, 1]
    assert client.get(answer["picture"]).headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize("address", ["/heat/", "/api/v1/explain/"])
def test_mistakes(client: TestClient, photos: Path, key: str, address: str) -> None:
    assert client.get(f"{address}{'0' * 16}?q=rot").status_code == 404
    assert client.get(f"{address}..%2Fetc?q=rot").status_code == 404
    assert client.get(f"{address}{key}").status_code == 422
    answer = client.get(f"{address}{key}?q=rot&language=german!")
    assert (answer.status_code, "not a language tag" in answer.text) == (400, True)
    assert client.get(f"{address}{key}?q=%20").status_code == 400


@pytest.mark.parametrize("address", ["/view/", "/tile/"])
def test_mistakes_on_pages(client: TestClient, key: str, address: str) -> None:
    answer = client.get(f"{address}{'0' * 16}?q=rot")
    assert (answer.status_code, "there is no picture" in answer.text) == (404, True)
    assert client.get(f"{address}..%2Fetc?q=rot").status_code == 404
    answer = client.get(f"{address}{key}?q=rot&language=german!")
    assert (answer.status_code, "not a language tag" in answer.text) == (400, True)


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_file_that_is_gone_is_told_without_its_path(
    client: TestClient, photos: Path, key: str, headers: dict[str, str]
) -> None:
    (photos / "red" / "mostly <red> & blue.png").unlink()
    answer = client.get(f"/view/{key}{ASKED}&heat=true", headers=headers)
    assert answer.status_code == 400
    assert "file is gone or unreadable" in answer.text
    assert str(photos) not in answer.text
    assert client.get(f"/heat/{key}{ASKED}").status_code == 404
    assert client.get(f"/api/v1/explain/{key}{ASKED}").status_code == 404


def test_words_are_escaped_everywhere(app: FastAPI, client: TestClient, key: str) -> None:
    words = {"q": '"><script>alert(1)</script>'}
    for headers in ({}, HTMX):
        page = client.get(f"/view/{key}", params=words, headers=headers).text
        page += client.get(f"/tile/{key}", params=words, headers=headers).text
        assert "<script>alert" not in page
