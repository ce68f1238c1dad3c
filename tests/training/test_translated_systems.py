"""Recipes of systems over translations, run: a run keeps all of one, a model the plain part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors import safe_open
from tests.training.test_translated_recipe import squares

from polyglance.errors import ConfigError
from polyglance.retriever import Retriever
from polyglance.systems.dual_encoder import DualEncoder
from polyglance.training.log import read_log
from polyglance.training.recipe import load_recipe
from polyglance.training.run import train

__all__ = ["squares"]  # a fixture

SYSTEMS = {
    "nrccr": (["model.attention_heads=2"], {"noise_filter", "adversary"}, {"telling", "feature"}),
    "cl2cm": (["data.captions_per_picture=2"], {"teacher"}, {"words", "relations", "sentences"}),
    "distilled": (["data.translated.human=false"], set(), {"distillation"}),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_run_ends_in_the_plain_dual_encoder(squares: Path, system: str) -> None:
    overrides, only_train, terms = SYSTEMS[system]
    recipe = load_recipe(squares, [f'model.system="{system}"', *overrides])
    folder = squares.parent / "run"
    train(recipe, folder, show_progress=False)
    with safe_open(str(folder / "last.safetensors"), "pt") as saved:
        resumed = {name.split(".")[1] for name in saved.keys() if name.startswith("model.")}  # noqa: SIM118
    with safe_open(str(folder / "model" / "model.safetensors"), "pt") as saved:
        left = {name.split(".")[0] for name in saved.keys()}  # noqa: SIM118
    assert only_train <= resumed
    assert left == {"image", "text", "loss"}  # the scale of the loss
    steps = [line for line in read_log(folder / "log.jsonl") if "loss" in line]
    assert terms | {"source"} <= set(steps[0])
    retriever = Retriever.load(folder / "model")
    assert type(retriever.system) is DualEncoder
    assert retriever.languages == ("de", "en")
    described = json.loads((folder / "model" / "config.json").read_text(encoding="utf-8"))
    assert described["model"]["system"] == "dual-encoder"


def test_a_model_goes_on_under_another_system(squares: Path) -> None:
    first, second = squares.parent / "first", squares.parent / "second"
    train(load_recipe(squares), first, show_progress=False)
    text = squares.read_text(encoding="utf-8")
    start, end = text.index('system = "dual-encoder"'), text.index("[training]")
    changed = f'checkpoint = "{first / "model"}"\nsystem = "cl2cm"\nteacher = "own"\n'
    squares.write_text(text[:start] + changed + text[end:], encoding="utf-8")
    train(load_recipe(squares), second, show_progress=False)
    assert type(Retriever.load(second / "model").system) is DualEncoder


def test_without_translations_the_remedy_is_named(squares: Path) -> None:
    text = squares.read_text(encoding="utf-8")
    start, end = text.index("[data.translated]"), text.index("[model]")
    squares.write_text(text[:start] + text[end:], encoding="utf-8")
    recipe = load_recipe(squares, ['model.system="cl2cm"'])
    with pytest.raises(ConfigError, match=r"add \[data\.translated\]"):
        train(recipe, squares.parent / "run", show_progress=False)
