"""From a folder of transformers to hits: the verbs with a model that was published elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.systems import tiny_hub
from typer.testing import CliRunner

from polyglance import Retriever
from polyglance.cli.main import app
from polyglance.errors import CollectionError
from polyglance.search.collection import Collection
from polyglance.serve.app import create_app


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, and photos with captions."""
    here = tmp_path_factory.mktemp("hub")
    tiny_hub.clip(here / "clip")
    tiny_hub.siglip2(here / "siglip2")
    (here / "photos").mkdir()
    lines = []
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(here / "photos" / f"{number}.png")
        captions = {"en": [f"a dog {number}"], "de": [f"ein hund {number}"]}
        lines.append(json.dumps({"image": f"photos/{number}.png", "captions": captions}))
    (here / "photos.jsonl").write_text("\n".join(lines))
    return here


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("name", ["clip", "siglip2"])
def test_index_and_search(place: Path, tmp_path: Path, name: str) -> None:
    collection = tmp_path / "collection"
    run("index", place / "photos", "--collection", collection, "--model", place / name)
    found = run("search", "a dog", "--language", "en", "-c", collection, "--top", "4", "--json")
    retriever = Retriever.load(place / name)
    photos = sorted((place / "photos").iterdir())
    scores = retriever.similarity(
        retriever.encode_texts(["a dog"]), retriever.encode_images(photos)
    )[0]
    wanted = {str(photo): score for photo, score in zip(photos, scores, strict=True)}
    hits = {hit["path"]: hit["score"] for hit in json.loads(found)}
    assert hits == pytest.approx(wanted, abs=1e-3)
    assert [hit["path"] for hit in json.loads(found)] == sorted(wanted, key=lambda p: -wanted[p])


def test_a_collection_refuses_another_model(place: Path, tmp_path: Path) -> None:
    collection = tmp_path / "collection"
    run("index", place / "photos", "--collection", collection, "--model", place / "clip")
    other = ["index", place / "photos", "-c", collection, "--model", place / "siglip2"]
    refused = CliRunner().invoke(app, [str(each) for each in other])
    assert isinstance(refused.exception, CollectionError)
    assert re.search(r"clip' .*siglip2' ", str(refused.exception))


def test_served_under_its_own_name(place: Path, tmp_path: Path) -> None:
    made = {name: tmp_path / name for name in ("clip", "siglip2")}
    for name, collection in made.items():  # side by side
        run("index", place / "photos", "-c", collection, "--model", place / name)
    for name, collection in made.items():
        opened = Collection.open(collection)
        app = create_app(opened, Retriever.load(opened.info.model))
        client = TestClient(app, base_url="http://127.0.0.1:8000")
        answer = client.get("/api/v1/search", params={"q": "ein hund", "language": "de"})
        assert len(answer.json()["hits"]) == 4
        assert name in client.get("/api/v1/collection").text


def test_evaluate(place: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    run("evaluate", place / "clip", place / "photos.jsonl", "--json", report)
    assert set(json.loads(report.read_text())["languages"]) == {"en", "de"}
