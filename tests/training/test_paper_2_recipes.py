"""The recipes of paper 2 as they are shipped, but for their size, on features from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.data.tiny_features import precomp, run

from polyglance.errors import ConfigError
from polyglance.training.log import read_log
from polyglance.training.recipe import load_recipe
from polyglance.training.run import train

RECIPES = Path(__file__).parents[2] / "recipes"
NOUNS = {"dog": "Hund", "cat": "Katze", "boat": "Boot", "tree": "Baum", "house": "Haus"}
SMALL = (
    "model.backbone.channels=16",
    "model.backbone.regions=3",
    "model.dimension=16",
    "training.batch_size=4",
    "training.log_every=1",
)
COTRAINING = (
    "data.parallel.batch_size=3",
    "training.evaluate_every=3",
    "training.phases.0.steps=3",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the comments of the recipes ask for."""
    generator = np.random.default_rng(0)
    theirs = tmp_path / "f30k_precomp"
    english = [f"a {noun} and a {other}" for noun in NOUNS for other in NOUNS]
    german = [f"{noun} und {other}" for noun in NOUNS.values() for other in NOUNS.values()]
    for split in ("train", "dev"):
        precomp(theirs, split, generator.normal(size=(5, 3, 16)), plain=english, de=german)
    for name in ("train", "val"):
        run("prepare", "precomp", theirs, "--language", "en", "--language", "de", "--split", name,
            "--output", tmp_path / f"{name}.jsonl", "--store", tmp_path / "regions")  # fmt: skip
    (tmp_path / "train.en.txt").write_text("\n".join(english))
    (tmp_path / "train.de.txt").write_text("\n".join(german))
    monkeypatch.setenv("POLYGLANCE_FLICKR30K", str(tmp_path))
    monkeypatch.setenv("POLYGLANCE_MULTI30K_TEXT", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "more", "languages"),
    [
        ("liwe", (*COTRAINING, "model.text.words.widths=[16]"), {"de", "en"}),
        ("clmr", (*COTRAINING, "model.text.words.dimension=16"), {"de", "en"}),
        ("scan", ("model.text.words.dimension=16", "training.phases.0.epochs=1.5"), {"en"}),
    ],
)
def test_it_trains_and_measures(
    folder: Path, name: str, more: tuple[str, ...], languages: set[str]
) -> None:
    recipe = load_recipe(RECIPES / f"{name}.toml", (*SMALL, *more))
    found = train(recipe, folder / "run", show_progress=False)
    assert found.step == 3
    lines = read_log(folder / "run" / "log.jsonl")
    steps = [line for line in lines if line["event"] == "step"]
    terms = {"image_to_text", "text_to_image"} | ({"en-de"} if "de" in languages else set())
    assert all(terms <= step.keys() for step in steps)
    assert all(step["loss"] == pytest.approx(sum(step[t] for t in terms)) for step in steps)
    measured = [line for line in lines if line["event"] == "evaluation"]
    assert set(measured[-1]["languages"]) == languages  # German too, which no picture taught


def test_a_system_that_learns_no_translations_refuses_them(folder: Path) -> None:
    parallel = "data.parallel={train = {en = '${POLYGLANCE_MULTI30K_TEXT}/train.en.txt', "
    parallel += "de = '${POLYGLANCE_MULTI30K_TEXT}/train.de.txt'}}"
    recipe = load_recipe(RECIPES / "scan.toml", (*SMALL, parallel))
    with pytest.raises(ConfigError, match=r"data\.parallel: .*model\.system = \"clmr\""):
        train(recipe, folder / "run", show_progress=False)
