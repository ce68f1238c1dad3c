"""Where pictures were taken: told by a server that was told to, and by no other."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from polyglance.search.collection import Collection
from polyglance.search.indexer import index
from polyglance.serve.app import create_app
from support.colours import ColourEncoder, picture
from support.places import taken_at

NEAR = {"q": "rot", "near": "50.08,14.43,5km"}


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    taken_at(tmp_path / "photos" / "prague.jpg", "red", 50.0875, 14.42125)
    taken_at(tmp_path / "photos" / "sydney.jpg", "red", -33.8568, 151.2153)
    picture(tmp_path / "photos" / "nowhere.png", "red")
    index(tmp_path / "photos", tmp_path / "collection", encoder=ColourEncoder())
    return Collection.open(tmp_path / "collection")


def client(collection: Collection, *, places: bool) -> TestClient:
    app = create_app(collection, ColourEncoder(), places=places)
    return TestClient(app, base_url="http://127.0.0.1:8000")


def test_a_server_tells_no_places(collection: Collection) -> None:
    asking = client(collection, places=False)
    found = asking.get("/api/v1/search?q=rot")
    assert [hit["place"] for hit in found.json()["hits"]] == [None] * 3
    pages = [found.text, asking.get("/?q=rot").text]
    pages += [asking.get(f"/view/{hit['id']}").text for hit in found.json()["hits"]]
    for page in pages:
        assert "50.08" not in page
        assert "151.2" not in page
    question = {"terms": [{"text": "rot"}], "filters": {"near": NEAR["near"]}}
    for refused in (
        asking.get("/api/v1/search", params=NEAR),
        asking.post("/api/v1/search", json=question),
        asking.get("/", params=NEAR),
        asking.get("/", params={"near": NEAR["near"]}),
    ):
        assert refused.status_code == 400
        assert "places are not told here" in refused.text
    assert 'name="near"' not in asking.get("/").text


def test_with_places_the_api_tells_them(collection: Collection) -> None:
    asking = client(collection, places=True)
    hits = asking.get("/api/v1/search?q=rot").json()["hits"]
    assert {hit["path"]: hit["place"] for hit in hits} == {
        "prague.jpg": {"latitude": 50.0875, "longitude": 14.42125},
        "sydney.jpg": {"latitude": -33.8568, "longitude": 151.2153},
        "nowhere.png": None,
    }
    question = {"terms": [{"text": "rot"}], "filters": {"near": NEAR["near"]}}
    for found in (
        asking.get("/api/v1/search", params=NEAR),
        asking.post("/api/v1/search", json=question),
    ):
        assert [hit["path"] for hit in found.json()["hits"]] == ["prague.jpg"]
        assert found.json()["matching"] == 1


def test_with_places_the_page_shows_them_and_leads_to_others_from_there(
    collection: Collection,
) -> None:
    asking = client(collection, places=True)
    page = asking.get("/", params=NEAR | {"ui": "de"}).text
    assert 'value="50.08,14.43,5km"' in page
    assert "höchstens 5 km von <bdi>50.08, 14.43</bdi> entfernt" in page
    [hit] = asking.get("/api/v1/search", params=NEAR).json()["hits"]
    view = asking.get(f"/view/{hit['id']}?q=rot").text
    assert "<dt>Place</dt><dd><bdi>50.087500, 14.421250</bdi>" in view
    address = "/?q=rot&near=50.0875,14.42125,1km"
    assert address.replace(",", "%2C") in unescape(view)
    assert "1 best of 1" in asking.get(address).text


def test_a_place_that_is_none_is_refused(collection: Collection) -> None:
    answer = client(collection, places=True).get("/api/v1/search?q=rot&near=Prague")
    assert answer.status_code == 400
    assert "near: 'Prague' is no place" in answer.json()["detail"]
