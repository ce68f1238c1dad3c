"""From UNITER's files to a single-stream model that saw their boxes and their soft labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from polyglance.cli.data import app as data
from polyglance.cli.evaluate import evaluate
from polyglance.data.manifest import write_manifest
from polyglance.data.record import Record
from polyglance.errors import ModelError
from polyglance.training.log import read_log
from polyglance.training.recipe import load_recipe
from polyglance.training.run import train

COLOURS = ["red", "green", "blue", "white", "black", "yellow"]
CLASSES = 7
RECIPE = """
[data]
train = "{folder}/u.jsonl"
validation = "{folder}/u.jsonl"
features = "{folder}/store"
[model]
{model}
[training]
batch_size = 6
precision = "32-true"
log_every = 1
evaluate_every = 120
[[training.phases]]
steps = {steps}
learning_rate = 0.003
"""
FIRST = f"""
system = "fei"
objective = "pretraining"
backbone = {{ kind = "precomputed", channels = 8, regions = 4, classes = {CLASSES} }}
tasks = {{ mlm = 0.0, mrc = 1.0, cmtr = 0.0, text_mlm = 0.0, tlm = 0.0, cltr = 0.0 }}
[model.stream]
languages = ["en"]
visual = {{ frequencies = 2, dropout = 0.0 }}
[model.stream.trunk]
layers = 1
width = 32
heads = 2
dropout = 0.0
max_length = 16
tokenizer = {{ vocabulary_size = 300, min_frequency = 1 }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Each picture's three regions are of its own class; captions come from a manifest."""
    generator = np.random.default_rng(0)
    directions, files, records = generator.normal(size=(6, 8)), tmp_path / "npz", []
    files.mkdir()
    for number, colour in enumerate(COLOURS):
        labels = np.full((3, CLASSES), 0.02)
        labels[:, number] = 1 - 0.02 * (CLASSES - 1)
        np.savez(
            files / f"coco_val2014_{number + 1:012}.npz",
            features=(directions[number] + generator.normal(scale=0.1, size=(3, 8))).astype("f2"),
            norm_bb=np.tile([0.1, 0.2, 0.6, 0.9, 0.5, 0.7], (3, 1)).astype("f2"),
            soft_labels=labels.astype("f2"),
        )
        path = tmp_path / f"COCO_val2014_{number + 1:012}.jpg"
        Image.new("RGB", (2, 2)).save(path)
        caption = f"a {colour} square"
        records.append(Record(id=path.name, image=path, captions={"en": (caption,)}, split="val"))
    write_manifest(records, tmp_path / "coco.jsonl")
    words = ["prepare", "uniter", files, "--output", tmp_path / "u.jsonl", "--regions", 4]
    words += ["--captions", tmp_path / "coco.jsonl", "--store", tmp_path / "store"]
    result = CliRunner().invoke(data, [str(word) for word in words])
    assert result.exit_code == 0, result.exception
    return tmp_path


def recipe(folder: Path, model: str, steps: int) -> Path:
    path = folder / f"recipe-{steps}.toml"
    path.write_text(RECIPE.format(folder=folder, model=model, steps=steps))
    return path


def test_boxes_and_labels_of_files_pretrain_a_model_that_is_then_measured(folder: Path) -> None:
    train(load_recipe(recipe(folder, FIRST, 120)), folder / "first", show_progress=False)
    each = [x["mrc"] for x in read_log(folder / "first/log.jsonl") if x["event"] == "step"]
    assert np.mean(each[-20:]) < 0.7 * np.mean(each[:20])
    then = f'checkpoint = "{folder}/first/model"\nobjective = "retrieval"'
    train(load_recipe(recipe(folder, then, 3)), folder / "then", show_progress=False)
    app = typer.Typer()
    app.command()(evaluate)
    words = [folder / "then/model", folder / "u.jsonl", "--features", folder / "store"]
    words += ["--json", folder / "report.json"]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.exception
    measured = json.loads((folder / "report.json").read_text())
    assert measured["images"] == 6


def test_labels_of_other_classes_are_refused(folder: Path) -> None:
    path = recipe(folder, FIRST, 1)
    for classes, told in [("9", "a row is 4 × 7, .* reads 4 × 9"), ("null", "knows no classes")]:
        model = path.read_text().replace(
            f", classes = {CLASSES}", "" if classes == "null" else f", classes = {classes}"
        )
        path.with_name("other.toml").write_text(model)
        with pytest.raises(ModelError, match=told):
            train(load_recipe(path.with_name("other.toml")), folder / "run", show_progress=False)
