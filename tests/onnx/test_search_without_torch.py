"""A collection that a model filled, searched with its export in a process without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.systems import tiny_hub
from typer.testing import CliRunner

from polyglance.cli.main import app
from polyglance.errors import CollectionError

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["transformers"] = None  # importing either fails
from polyglance.cli.main import main
sys.argv = ["polyglance", *sys.argv[1:]]
main()
"""


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def run_without_torch(*arguments: str | Path) -> str:
    command = [sys.executable, "-c", WITHOUT_TORCH, *(str(each) for each in arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos, a model and its export."""
    here = tmp_path_factory.mktemp("onnx")
    tiny_hub.clip(here / "clip")
    (here / "photos").mkdir()
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).save(here / "photos" / f"{number}.png")
    run("export", here / "clip", here / "graphs")
    return here


def test_hits_are_the_models(place: Path, tmp_path: Path) -> None:
    collection = tmp_path / "collection"
    run("index", place / "photos", "--collection", collection, "--model", place / "clip")
    asked = ["search", "a dog", "--language", "en", "--collection", collection, "--json"]
    graphs = json.loads(run_without_torch(*asked, "--model", place / "graphs"))
    model = json.loads(run(*asked))
    assert [hit["path"] for hit in graphs] == [hit["path"] for hit in model]
    scores = [hit["score"] for hit in model]
    assert [hit["score"] for hit in graphs] == pytest.approx(scores, abs=1e-4)
    by_picture = [
        "search",
        "--image",
        place / "photos" / "2.png",
        "--collection",
        collection,
        "--json",
    ]
    hits = json.loads(run_without_torch(*by_picture, "--model", place / "graphs"))
    assert Path(hits[0]["path"]).name == "2.png"


def test_indexing_needs_no_torch_either(place: Path, tmp_path: Path) -> None:
    collection = tmp_path / "collection"
    told = run_without_torch(
        "index", place / "photos", "--collection", collection, "--model", place / "graphs"
    )
    assert "4 indexed" in told
    hits = json.loads(run_without_torch("search", "a dog", "-c", collection, "--json"))
    assert len(hits) == 4  # with the export that the collection names


def test_another_models_export_is_refused(place: Path, tmp_path: Path) -> None:
    collection = tmp_path / "collection"
    run("index", place / "photos", "--collection", collection, "--model", place / "clip")
    described = json.loads((place / "graphs" / "onnx.json").read_text())
    shutil.copytree(place / "graphs", tmp_path / "graphs")
    (tmp_path / "graphs" / "onnx.json").write_text(json.dumps(described | {"fingerprint": "00"}))
    asked = ["search", "dog", "-c", str(collection), "--model", str(tmp_path / "graphs")]
    result = CliRunner().invoke(app, asked)
    assert isinstance(result.exception, CollectionError)
