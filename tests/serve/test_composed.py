"""Several texts and pictures as one question to the API."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from support.colours import ColourEncoder

ADDRESS = "/api/v1/search"
MOSTLY = "red/mostly <red> & blue.png"


def test_texts_in_their_languages(client: TestClient, encoder: ColourEncoder) -> None:
    terms = [
        {"text": "rouge", "language": "fr"},
        {"text": "青", "language": "ja", "weight": 0.5},
        {"text": "أبيض", "language": "ar", "weight": -1},
    ]
    answer = client.post(ADDRESS, json={"terms": terms, "top": 8}).json()
    assert answer["hits"][0]["path"] == MOSTLY
    assert answer["hits"][-1]["path"] == "white/white.png"
    assert answer["query"] == "“rouge” + 0.5 “青” − “أبيض”"
    assert (answer["language"], answer["languages"]) == (None, ["fr", "ja", "ar"])
    assert encoder.texts_seen == [("rouge", "fr"), ("青", "ja"), ("أبيض", "ar")]


def test_pictures_and_filters(client: TestClient, photos: Path) -> None:
    blue = client.get(f"{ADDRESS}?q=blau").json()["hits"][0]
    image = b64encode((photos / "red" / "red.png").read_bytes()).decode()
    question = {"terms": [{"image": image}, {"picture": blue["id"], "weight": 0.5}]}
    assert client.post(ADDRESS, json=question).json()["hits"][0]["path"] == MOSTLY
    narrowed = {**question, "filters": {"folder": "blue"}}
    answer = client.post(ADDRESS, json=narrowed).json()
    assert [hit["path"] for hit in answer["hits"]] == ["blue/blue.png"]
    assert answer["matching"] == 1


def test_one_text_is_the_plain_search(client: TestClient) -> None:
    plain = client.get(f"{ADDRESS}?q=rot&language=de").json()
    asked = client.post(ADDRESS, json={"terms": [{"text": "rot", "language": "de"}]}).json()
    assert {**asked, "milliseconds": 0} == {**plain, "milliseconds": 0}


@pytest.mark.parametrize(
    ("question", "status", "reason"),
    [
        ({"terms": []}, 422, "at least 1 item"),
        ({"terms": [{"text": "a"}] * 17}, 422, "at most 16 items"),
        ({"terms": [{}]}, 400, "one text or one picture"),
        ({"terms": [{"text": "a", "image": "AAAA"}]}, 400, "one text or one picture"),
        ({"terms": [{"text": "rot"}, {"text": "red", "weight": -1}]}, 400, "cancel one another"),
        ({"terms": [{"text": "rot", "weight": 0}]}, 400, "the weight 0 is none"),
        ({"terms": [{"text": "rot", "weight": float("nan")}]}, 400, "the weight nan is none"),
        ({"terms": [{"text": "rot", "language": "german"}]}, 400, "not a language tag"),
        ({"terms": [{"text": "\ud800"}]}, 4, "nicode"),
        ({"terms": [{"image": "AAA"}]}, 422, "base64"),
        ({"terms": [{"image": "bm90aGluZw=="}]}, 400, "not a picture"),
        ({"terms": [{"picture": "' OR 1=1"}]}, 400, "there is no picture"),
        ({"terms": [{"text": "rot", "wait": 1}]}, 422, "Extra inputs"),
        ({"terms": [{"text": "rot"}], "top": float("nan")}, 422, "top"),
        ({"terms": [{"text": "rot"}], "top": 201}, 422, "less than or equal to 200"),
        ({"terms": [{"text": "rot"}], "filters": {"kind": "exe"}}, 400, "no kind of file"),
        ({"terms": [{"text": "rot"}], "filters": {"where": "1=1"}}, 422, "Extra inputs"),
    ],
)
def test_mistakes(client: TestClient, question: dict[str, Any], status: int, reason: str) -> None:
    answer = client.post(
        ADDRESS, content=json.dumps(question), headers={"content-type": "application/json"}
    )
    assert str(answer.status_code).startswith(str(status)), answer.text
    assert reason in answer.text


def test_openapi_has_an_example_that_works(client: TestClient) -> None:
    described = client.get("/api/v1/openapi.json").json()
    example = described["components"]["schemas"]["Question"]["examples"][0]
    del example["filters"]
    assert client.post(ADDRESS, json=example).status_code == 200
    parameters = described["paths"]["/api/v1/search"]["get"]["parameters"]
    assert {each["name"]: each["schema"].get("examples") for each in parameters}["q"]
