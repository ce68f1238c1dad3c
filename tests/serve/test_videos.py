"""Videos in the browser and over HTTP: the moment is told, and its frame is shown."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from polyglance.search.collection import Collection
from polyglance.search.indexer import index
from polyglance.serve.app import create_app
from support.clips import clip, colour_of
from support.colours import ColourEncoder, picture


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    clip(tmp_path / "photos" / "film.mp4", "red", "green", "blue", seconds=1, size=(64, 64))
    picture(tmp_path / "photos" / "half.png", "red", "white")
    encoder = ColourEncoder()
    index(tmp_path / "photos", tmp_path / "collection", encoder=encoder)
    app = create_app(Collection.open(tmp_path / "collection"), encoder)
    return TestClient(app, base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize(("word", "moment"), [("red", 0.5), ("green", 1.5), ("blau", 2.5)])
def test_the_api_tells_the_moment_and_shows_its_frame(
    client: TestClient, word: str, moment: float
) -> None:
    hits = client.get("/api/v1/search", params={"q": word}).json()["hits"]
    assert len(hits) == 2
    [film] = [hit for hit in hits if hit["path"] == "film.mp4"]
    assert film["moment"] == moment
    [half] = [hit for hit in hits if hit["path"] == "half.png"]
    assert half["moment"] is None
    for address in (film["thumbnail"], film["thumbnail"].replace("thumbnail", "picture")):
        shown = Image.open(BytesIO(client.get(address).content))
        assert colour_of(shown) == word.replace("blau", "blue")


def test_the_page_shows_the_clock_of_videos_alone(client: TestClient) -> None:
    page = client.get("/", params={"q": "blau"}).text
    assert page.count('class="clock"') == 1
    assert ">00:02</time>" in page
    assert "2 pictures" in page
    assert client.get("/api/v1/collection").json()["pictures"] == 2


def test_why_this_is_asked_of_the_frame(client: TestClient) -> None:
    hits = client.get("/api/v1/search", params={"q": "green"}).json()["hits"]
    film = next(hit for hit in hits if hit["path"] == "film.mp4")
    heat = client.get(f"/heat/{film['id']}", params={"q": "green"})
    assert heat.status_code == 200
    assert "<dd>00:01</dd>" in client.get(f"/view/{film['id']}", params={"q": "green"}).text


def test_a_video_that_is_gone_has_no_thumbnail(client: TestClient, tmp_path: Path) -> None:
    hits = client.get("/api/v1/search", params={"q": "green"}).json()["hits"]
    (tmp_path / "photos" / "film.mp4").unlink()
    film = next(hit for hit in hits if hit["path"] == "film.mp4")
    assert client.get(film["thumbnail"]).status_code == 404
