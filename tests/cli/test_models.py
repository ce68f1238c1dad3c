"""``polyglance models``, as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.systems import tiny_hub
from typer.testing import CliRunner

from polyglance.cli.main import app
from polyglance.errors import ModelError

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["transformers"] = None  # importing either fails
from polyglance.cli.main import main
sys.argv = ["polyglance", *sys.argv[1:]]
main()
"""


@pytest.fixture(autouse=True)
def no_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    scan = huggingface_hub.scan_cache_dir
    monkeypatch.setattr(huggingface_hub, "scan_cache_dir", lambda: scan(tmp_path / "no hub"))


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["models", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_list_needs_no_torch(tmp_path: Path) -> None:
    tiny_hub.clip(tmp_path / "clip")
    command = [sys.executable, "-c", WITHOUT_TORCH, "models", str(tmp_path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    listed, recalls, _source = printed.split("\n\n")
    assert "mini   " in listed
    assert " 512 " in listed
    clip = next(line for line in listed.splitlines() if line.startswith(str(tmp_path)))
    assert clip.split()[1] == "CLIP"
    assert clip.split()[-3:] == ["0", "8", "–"]  # MB, dimension, languages
    header, row = (line.split() for line in recalls.splitlines()[1:])
    assert header == ["model", "ar", "cs", "de", "en", "fr", "pt", "zh", "worst"]
    assert (row[0], row[-2], row[-1]) == ("mini", "46.5", "zh")


def test_json_has_everything(tmp_path: Path) -> None:
    tiny_hub.siglip(tmp_path / "siglip")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "onnx.json").write_text("{}")
    told = json.loads(run(tmp_path, tmp_path / "siglip", "--json"))
    mini, siglip = told["models"]
    assert (mini["name"], mini["kind"]) == ("mini", "built-in")
    assert mini["measured"]["text_to_image"]["zh"] == {"R@1": 12.1, "R@5": 34.0, "R@10": 46.5}
    assert mini["measured"]["worst"] == "zh"
    assert siglip["name"] == siglip["folder"] == str(tmp_path / "siglip")
    assert (siglip["dimension"], siglip["languages"], siglip["speed"]) == (16, [], None)
    [broken] = told["unusable"]
    assert broken["name"] == str(tmp_path / "broken")
    assert "export anew" in broken["reason"]


def test_measuring_goes_on_where_a_model_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYGLANCE_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("polyglance.listing.speed.SECONDS", 0.0)
    tiny_hub.clip(tmp_path / "clip")
    printed = run(tmp_path / "clip", "--measure")
    row = next(line.split() for line in printed.splitlines() if line.startswith(str(tmp_path)))
    assert all(float(cell) > 0 for cell in row[-2:])
    assert "mini: resnet50 is not here; `polyglance download resnet50` fetches it" in printed
    assert "mini: not measured: resnet50" in printed


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        run(tmp_path / "nowhere")
