"""Recipes: exact errors, overrides, and environment variables where they belong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from polyglance.errors import ConfigError
from polyglance.training.recipe import Recipe, apply_override, load_recipe

RECIPES = Path(__file__).parents[2] / "recipes"
MINIMAL = """
[data]
train = "train.jsonl"
languages = { no = 1.0, en = 2 }
[model]
system = "smooth"
[training]
[[training.phases]]
epochs = 2
learning_rate = 1e-3
"""


def load(tmp_path: Path, text: str = MINIMAL, *overrides: str) -> Recipe:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path, overrides)


def test_a_recipe_is_read_as_it_is_meant(tmp_path: Path) -> None:
    recipe = load(tmp_path)
    assert recipe.name == "mine"
    assert recipe.data.languages == {"no": 1.0, "en": 2.0}  # not False, as YAML would have it
    assert recipe.training.phases[0].learning_rate == 0.001
    assert recipe.training.phases[0].total_steps(steps_per_epoch=7) == 14


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs = 2", "epochs = 2\nlearning_rat = 1", "training.phases.0.learning_rat: no such"),
        ("epochs = 2", "", "training.phases.0: .*either epochs or steps"),
        ("epochs = 2", "epochs = 2\nsteps = 3", "either epochs or steps"),
        ("epochs = 2", "epochs = 0", r"epochs: input should be greater than 0 \(got 0\)"),
        ("1e-3", '"fast"', r"learning_rate: .*valid number.*'fast'"),
        ("[data]", "[dat]", "data: field required; dat: no such key"),
        ("[training]", "[training", "not valid TOML"),
        ("epochs = 2", 'epochs = 2\nschedule = {kind = "x"}', "schedule: .*'constant'"),
        ("no = 1.0", "no = -1.0", "data.languages.no"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        load(tmp_path, MINIMAL.replace(old, new))
    assert "mine.toml" in str(error.value)


def test_a_missing_file() -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read: No such file"):
        load_recipe(Path("absent.toml"))


def test_overrides(tmp_path: Path) -> None:
    recipe = load(
        tmp_path,
        MINIMAL,
        "training.phases.0.learning_rate=5e-4",
        "training.phases.0.schedule={kind = 'cosine'}",
        "training.precision=bf16-mixed",
        "model.loss.kind=info_nce",
        "data.train=other.jsonl",
    )
    assert recipe.training.phases[0].learning_rate == 5e-4
    assert recipe.training.phases[0].schedule.kind == "cosine"
    assert recipe.training.precision == "bf16-mixed"
    assert recipe.model == {"system": "smooth", "loss": {"kind": "info_nce"}}
    assert recipe.data.train == Path("other.jsonl")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("a.b", "key.path=value"),
        (".b=1", "key.path=value"),
        ("list.2.x=1", "'2' is not one of 0…1"),
        ("list.x=1", "'x' is not one of"),
        ("plain.x=1", "nothing below a plain value"),
    ],
)
def test_impossible_overrides(override: str, message: str) -> None:
    table: dict[str, Any] = {"list": [{}, {}], "plain": 3}
    with pytest.raises(ConfigError, match=message):
        apply_override(table, override)


def test_an_unknown_key_in_an_override_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.batchsize: no such key"):
        load(tmp_path, MINIMAL, "training.batchsize=3")


def test_variables_are_expanded_in_paths_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = MINIMAL.replace('"train.jsonl"', '"${SOME_FOLDER}/train.jsonl"')
    text = text.replace('"smooth"', '"${SOME_FOLDER}"')
    monkeypatch.setenv("SOME_FOLDER", "/some/where")
    recipe = load(tmp_path, text)
    assert recipe.data.train == Path("/some/where/train.jsonl")
    assert recipe.model["system"] == "${SOME_FOLDER}"
    monkeypatch.delenv("SOME_FOLDER")
    with pytest.raises(ConfigError, match=r"SOME_FOLDER is not set; .*export SOME_FOLDER="):
        load(tmp_path, text)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_recipes_that_we_ship_are_valid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polyglance.training.system import check_model

    for name in (
        "CAPTIONS",
        "FLICKR8K",
        "FLICKR30K",
        "COCO",
        "MULTI30K",
        "MULTI30K_TEXT",
        "VECTORS",
        "TEXT",
    ):
        monkeypatch.setenv(f"POLYGLANCE_{name}", f"/{name}")
    recipe = load_recipe(path)
    assert len(recipe.training.phases) >= 1
    assert "checkpoint" in recipe.model or check_model(recipe.model).system


def test_a_wrong_model_table_names_its_key() -> None:
    from polyglance.training.system import check_model

    with pytest.raises(ConfigError, match=r"model: smooth\.dimensions: no such key"):
        check_model({"system": "smooth", "dimensions": 3})
