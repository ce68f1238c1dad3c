"""Relevance in the API, and the page that says that nothing matches well."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from polyglance.search.collection import Collection
from polyglance.search.indexer import index
from polyglance.serve.app import create_app
from support.colours import ColourEncoder, many_pictures

NONSENSE = "zqxj"


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    many_pictures(tmp_path / "photos", 60)
    index(tmp_path / "photos", tmp_path / "collection", encoder=ColourEncoder())
    app = create_app(Collection.open(tmp_path / "collection"), ColourEncoder())
    return TestClient(app, base_url="http://127.0.0.1:8000")


def test_the_api_says_that_nothing_matches_and_gives_the_nearest(client: TestClient) -> None:
    answer = client.get(f"/api/v1/search?q={NONSENSE}&top=3").json()
    assert answer["nothing_matches"] is True
    assert len(answer["hits"]) == 3
    answer = client.get("/api/v1/search?q=rot&top=3").json()
    assert answer["nothing_matches"] is False
    assert answer["hits"][0]["relevance"] > 0.9
    assert client.get("/api/v1/search?q=rot&top=3&offset=50").json()["nothing_matches"] is False


def test_least_relevance(client: TestClient) -> None:
    terms = {"terms": [{"text": "rot"}], "min_relevance": 0.9, "top": 100}
    for answer in (
        client.get("/api/v1/search?q=rot&min_relevance=0.9&top=100"),
        client.post("/api/v1/search", json=terms),
    ):
        relevances = [hit["relevance"] for hit in answer.json()["hits"]]
        assert 0 < len(relevances) < 60
        assert min(relevances) >= 0.9
    assert client.get(f"/api/v1/search?q={NONSENSE}&min_relevance=0.9").json()["hits"] == []
    for least in ("-1", "1.5", "x"):
        assert client.get(f"/api/v1/search?q=rot&min_relevance={least}").status_code == 422


def test_pictures_like_one_have_none(client: TestClient) -> None:
    best = client.get("/api/v1/search?q=rot").json()["hits"][0]["id"]
    answer = client.get(f"/api/v1/similar/{best}").json()
    assert answer["hits"][0]["relevance"] is None
    assert answer["nothing_matches"] is False


def test_the_page_says_that_nothing_matches(client: TestClient) -> None:
    page = client.get(f"/?q={NONSENSE}&language=sw&min_size=1").text
    assert "Nothing here matches well" in page
    assert "not trained on sw" in page
    assert 'class="tile' in page  # the nearest
    page = client.get("/?q=rot").text
    assert 'class="tile' in page
    assert "Nothing here matches" not in page
    assert "relevance 1.00" in page
