"""Health, readiness and numbers, as those ask who look after a server."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from polyglance.serve.app import create_app
from support.colours import ColourEncoder, picture


def numbers(client: TestClient) -> dict[tuple[str, ...], float]:
    """(name, label values, …) → value, of what is Polyglance's own."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name.removeprefix("polyglance_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name.startswith("polyglance_")
    }


def test_alive_and_ready(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "alive"}
    assert client.get("/ready").json() == {"status": "ready"}


def test_not_ready_without_its_collection(client: TestClient, photos: Path) -> None:
    shutil.rmtree(photos.parent / "collection" / "lance")
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert answer.json() == {"status": "the collection cannot be read at present"}
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    "address",
    ["/api/v1/search?q=rot", "/api/v1/collection", "/", "/?q=rot", "/view/0123456789abcdef"],
)
def test_a_collection_that_is_damaged_is_no_fault_of_who_asks(
    client: TestClient, photos: Path, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(photos.parent / "collection" / "lance")
    answer = client.get(address)
    assert answer.status_code == 503
    assert answer.json() == {"detail": "the collection cannot be read at present"}
    assert f"{photos.parent / 'collection'}: its tables are missing or damaged" in caplog.text


def test_requests_are_counted_by_route_and_status(client: TestClient) -> None:
    red = client.get("/api/v1/search?q=rot").json()["hits"][0]["id"]
    for address in (
        *(f"/api/v1/similar/{red}", "/api/v1/similar/0000000000000000", f"/thumbnail/{red}"),
        *("/static/style.css", "/nowhere", "/api/v1/search", "/", "/api/v1/openapi.json"),
    ):
        client.get(address)
    client.get("/", headers={"host": "evil.example"})
    found = numbers(client)
    requests = {key[1:]: value for key, value in found.items() if key[0] == "requests_total"}
    assert requests == {
        ("/api/v1/search", "200"): 1,
        ("/api/v1/search", "422"): 1,
        ("/api/v1/similar/{picture_id}", "200"): 1,
        ("/api/v1/similar/{picture_id}", "404"): 1,
        ("/thumbnail/{picture_id}", "200"): 1,
        ("other", "200"): 2,
        ("/", "200"): 1,
        ("other", "404"): 1,
        ("other", "421"): 1,
    }
    assert found["request_seconds_count", "/api/v1/search"] == 2
    assert 0 < found["request_seconds_sum", "/api/v1/search"] < 60
    assert found["request_seconds_bucket", "+Inf", "/api/v1/search"] == 2


def test_searches_are_counted_by_kind_and_language(client: TestClient, tmp_path: Path) -> None:
    upload = {"image": ("a.png", picture(tmp_path / "a.png", "green").read_bytes())}
    red = client.get("/api/v1/search?q=rot&language=de").json()["hits"][0]["id"]
    client.get("/", params={"q": "rot", "language": "de-AT"})
    client.get("/api/v1/search?q=rot")
    client.get("/api/v1/search?q=rot&language=tlh")
    client.get(f"/api/v1/similar/{red}")
    client.get("/", params={"like": red})
    client.post("/api/v1/search/image", files=upload)
    client.post("/api/v1/search/image", files=upload, data={"q": "rot", "language": "de"})
    two = [{"text": "rot", "language": "de"}, {"text": "vert", "language": "fr"}]
    client.post("/api/v1/search", json={"terms": two})
    client.get("/api/v1/search?q=")  # asks for nothing
    found = numbers(client)
    assert {key[1:]: value for key, value in found.items() if key[0] == "queries_total"} == {
        ("text", "de"): 2,
        ("text", "und"): 1,
        ("text", "other"): 1,
        ("text", "several"): 1,
        ("similar", "none"): 2,
        ("image", "none"): 1,
        ("mixed", "de"): 1,
    }
    assert found["encoder_batch_texts_sum",] == 7
    assert found["waiting_requests",] == 0


def test_names_are_bounded_whatever_is_asked(client: TestClient) -> None:
    def ask(number: int) -> int:
        client.get(f"/api/v1/search?q=rot{number}&language=x-{number}")
        client.get(f"/nowhere/{number}")
        client.get(f"/view/{number:016x}")
        return len(numbers(client))

    ask(0)
    before = ask(1)
    assert {ask(number) for number in range(2, 20)} == {before}


def test_numbers_of_two_servers_are_apart(app: FastAPI, client: TestClient) -> None:
    client.get("/api/v1/search?q=rot")
    searcher: Any = app.state.searcher
    other = TestClient(create_app(searcher.collection, ColourEncoder()))
    other.base_url = client.base_url
    assert ("queries_total", "text", "und") in numbers(client)
    assert ("queries_total", "text", "und") not in numbers(other)


@pytest.mark.parametrize("name", ["process_resident_memory_bytes", "process_open_fds"])
def test_the_process_is_told_of(client: TestClient, name: str) -> None:
    assert f"\n{name} " in client.get("/metrics").text
