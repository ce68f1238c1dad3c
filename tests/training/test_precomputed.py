"""From a `_precomp` folder to a trained and measured model, as a user would go."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from polyglance.cli.data import app as data
from polyglance.cli.evaluate import evaluate
from polyglance.errors import ConfigError, ModelError, PictureError
from polyglance.retriever import Retriever
from polyglance.training.recipe import load_recipe
from polyglance.training.run import train
from polyglance.vision.image_encoder import mean_region
from polyglance.vision.precomputed import PrecomputedBackbone

COLOURS = ["red", "green", "blue", "white", "black", "yellow"]
RECIPE = """
[data]
train = "{folder}/train.jsonl"
validation = "{folder}/val.jsonl"
features = "{folder}/store"
[model]
dimension = 16
{system}
backbone = {{ kind = "precomputed", channels = 8, regions = 3 }}
[training]
batch_size = 6
precision = "bf16-mixed"
[[training.phases]]
epochs = 40
learning_rate = 0.01
"""
SYSTEMS = {
    "clmr": 'system = "clmr"\nnon_local = "residual"\ntext = { kind = "recurrent", words = '
    '{ kind = "characters", widths = [16], character_dimension = 4, word_length = 8 } }',
    "vsepp": 'system = "vsepp"\ntext = { kind = "recurrent", words = '
    '{ kind = "learned", dimension = 8, min_frequency = 1 }, bidirectional = false }\n'
    'loss = { kind = "sum_of_hinges" }',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of somebody else's features: each colour is a direction, with noise."""
    generator = np.random.default_rng(0)
    directions = generator.normal(size=(6, 1, 8))
    theirs = tmp_path / "colours_precomp"
    theirs.mkdir()
    for split in ("train", "dev"):
        ims = directions + generator.normal(scale=0.1, size=(6, 3, 8))
        np.save(theirs / f"{split}_ims.npy", ims.astype(np.float32))
        lines = [f"a {colour} square" for colour in COLOURS]
        (theirs / f"{split}_caps.txt").write_text("\n".join(lines) + "\n")
    for split in ("train", "val"):
        words = ["prepare", "precomp", theirs, "--split", split, "--store", tmp_path / "store"]
        output = ["--output", tmp_path / f"{split}.jsonl"]
        result = CliRunner().invoke(data, [str(word) for word in [*words, *output]])
        assert result.exit_code == 0, result.exception
    return tmp_path


def recipe(folder: Path, system: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(folder=folder, system=SYSTEMS[system]))
    return path


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_precomp_folder_trains_a_model_that_is_then_measured(folder: Path, system: str) -> None:
    run = train(load_recipe(recipe(folder, system)), folder / "run", show_progress=False)
    assert run.best_recall is not None
    assert run.best_recall > 90
    app = typer.Typer()
    app.command()(evaluate)
    words = [folder / "run/model", folder / "val.jsonl", "--json", folder / "report.json"]
    result = CliRunner().invoke(app, [str(w) for w in [*words, "--features", folder / "store"]])
    assert result.exit_code == 0, result.exception
    measured = json.loads((folder / "report.json").read_text())
    trained = json.loads((folder / "run/report.json").read_text())
    assert measured["languages"]["en"]["rsum"] == trained["languages"]["en"]["rsum"]
    without = CliRunner().invoke(app, [str(word) for word in words])
    assert isinstance(without.exception, PictureError)
    assert "--features" in str(without.exception)
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    with pytest.raises(ModelError, match="cannot read pictures"):
        Retriever.load(folder / "run/model").encode_images([folder / "a.png"])


def test_a_recipe_must_name_a_store_that_fits(folder: Path) -> None:
    path = recipe(folder, "clmr")
    for override, error, told in [
        (f"data.features={folder}/nowhere", ConfigError, "data.features: .*nowhere is no feature"),
        ("model.backbone.channels=9", ModelError, "a row is 3 × 8, .* 3 regions × 9 channels"),
        ("model.backbone.regions=2", ModelError, "a row is 3 × 8, .* 2 regions × 8 channels"),
    ]:
        with pytest.raises(error, match=told):
            train(load_recipe(path, [override]), folder / "run", show_progress=False)
    lines = (folder / "val.jsonl").read_text().replace("val-3", "gone")
    (folder / "val.jsonl").write_text(lines)
    with pytest.raises(ConfigError, match=r"1 of 6 pictures for validation have no row .*'gone'"):
        train(load_recipe(path), folder / "run", show_progress=False)


def test_rows_that_a_precomputed_backbone_reads() -> None:
    backbone = PrecomputedBackbone(channels=8, regions=3)
    for shape in [(3, 8), (2, 8), (8,)]:
        backbone.check_row(shape, "store")
    for wrong in [(4, 8), (3, 7), (7,), (8, 7, 7), (3, 3, 8)]:
        with pytest.raises(ModelError, match="store: a row is"):
            backbone.check_row(wrong, "store")
    assert not list(backbone.parameters())


def test_the_mean_region_leaves_out_padding() -> None:
    regions = torch.randn(4, 5, 3, dtype=torch.float64)
    regions[1, 3:] = 0
    regions[2] = 0
    regions.requires_grad_()
    expected = torch.stack(
        [
            sum((r for r in picture if r.any()), torch.zeros(3, dtype=torch.float64))
            / max(1, sum(bool(r.any()) for r in picture))
            for picture in regions
        ]
    )
    found = mean_region(regions)
    assert torch.allclose(found, expected)
    weights = torch.randn_like(found)
    (a,) = torch.autograd.grad((found * weights).sum(), regions)
    (b,) = torch.autograd.grad((expected * weights).sum(), regions)
    assert torch.allclose(a[0], b[0])
    assert torch.allclose(a[1, :3], b[1, :3])
