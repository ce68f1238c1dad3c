"""Recipes that learn a language from machine translations: what is drawn, read and measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from polyglance.data.record import Record
from polyglance.errors import ConfigError
from polyglance.retriever import Retriever
from polyglance.training.log import read_log
from polyglance.training.recipe import Recipe, load_recipe, validate_recipe
from polyglance.training.run import train
from polyglance.training.texts import translated_captions
from support.squares import COLOURS, GERMAN, RECIPE

TRANSLATED = '[data.translated]\ntarget = "de"\nengines = ["de-x-one", "de-x-two"]\n[model]\n'


@pytest.fixture
def squares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures with English captions, German translations, and German of people."""
    generator = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 6)):
        rows = []
        for n in range(count):
            name, colour = list(COLOURS.items())[n % 3]
            pixels = np.clip(np.array(colour) + generator.integers(-25, 25, (40, 40, 3)), 0, 255)
            path = tmp_path / f"{split}{n}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(path)
            rows.append({
                "image": path.name,
                "captions": {"en": [f"a {name} square"], "de": [f"menschlich {GERMAN[name]}"]},
                "machine_translated": {
                    "de-x-one": [f"quadrat {GERMAN[name]}"],
                    "de-x-two": [f"platz {GERMAN[name]}"],
                    "en-x-one": [f"a {name} quadrat"],
                },
            })  # fmt: skip
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    monkeypatch.setenv("TINY", str(tmp_path))
    monkeypatch.setenv("POLYGLANCE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "squares.toml"
    path.write_text(RECIPE.replace("[model]\n", TRANSLATED, 1), encoding="utf-8")
    return path


def table(**translated: object) -> Recipe:
    return validate_recipe(
        {
            "name": "x",
            "data": {"train": "train.jsonl", "translated": translated},
            "model": {},
            "training": {"phases": [{"steps": 1}]},
        },
        "x.toml",
    )


def words(folder: Path) -> set[str]:
    vocabulary = json.loads((folder / "model" / "vocabulary.json").read_text(encoding="utf-8"))
    return set(vocabulary["word2idx"])


def test_any_dual_encoder_learns_from_translations_and_is_measured_on_people(
    squares: Path,
) -> None:
    folder = squares.parent / "run"
    train(load_recipe(squares), folder, show_progress=False)
    assert Retriever.load(folder / "model").languages == ("de", "en")
    assert {"quadrat", "platz", "square"} <= words(folder)
    assert "menschlich" not in words(folder)  # nobody's German is at hand in this setting
    card = (folder / "model" / "card.md").read_text(encoding="utf-8")
    assert "captions in de were trained on: machines translated (de-x-one, de-x-two)." in card
    measured = [line for line in read_log(folder / "log.jsonl") if "languages" in line]
    assert set(measured[-1]["languages"]) == {"de", "en"}
    assert measured[-1]["languages"]["de"]["rsum"] > 0


def test_the_ceiling_reads_what_people_wrote(squares: Path) -> None:
    folder = squares.parent / "run"
    overrides = ["data.translated.engines=[]", "data.translated.human=true"]
    steps = ["training.phases.0.epochs=1", "training.phases.1.epochs=0.5"]
    train(load_recipe(squares, [*overrides, *steps]), folder, show_progress=False)
    assert "menschlich" in words(folder)
    assert "quadrat" not in words(folder)
    assert "machines" not in (folder / "model" / "card.md").read_text(encoding="utf-8")


def test_noise_and_back_translations_are_named_by_recipes() -> None:
    records = [
        Record(
            id=f"p{n}",
            captions={"en": (f"a b {n}",)},
            machine_translated={"de-x-one": (f"c d {n}",), "en-x-one": (f"e f {n}",)},
        )
        for n in range(30)
    ]
    recipe = table(target="de", engines=["de-x-one"], back="en-x-one", noise={"wrong": 0.5})
    found = translated_captions(recipe, records)
    assert found is not None
    pairs = [some["de-x-one"][0] for some in found.pairs]
    assert all(pair.back == pair.source.replace("a b", "e f") for pair in pairs)
    wrong = sum(pair.target[4:] != pair.source[4:] for pair in pairs)
    assert 5 < wrong < 25
    other = table(target="de", engines=["de-x-one"], noise={"wrong": 0.5, "seed": 1})
    changed = translated_captions(other, records)
    assert changed is not None
    assert [p["de-x-one"][0].target for p in changed.pairs] != [pair.target for pair in pairs]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engines": ["de-x-one"]}, r"translated\.target: [Ff]ield required"),
        ({"target": "de"}, "give either engines, or human = true"),
        ({"target": "de", "engines": ["a"], "human": True}, "give either engines, or human"),
        ({"target": "en", "engines": ["en-x"]}, "the same language"),
        ({"target": "de", "engines": ["a", "b"], "back": "c"}, "several engines: give back"),
        ({"target": "de", "engines": ["a"], "back": {"b": "c"}}, "b is not among the engines"),
        ({"target": "de", "human": True, "back": "c"}, "several engines|not among"),
        ({"target": "de", "engines": ["a"], "noise": {"drop": 2}}, r"noise\.drop: .*less than"),
        ({"target": "de", "engines": ["a"], "noise": {"typo": 0.1}}, r"typo: no such key"),
    ],
)
def test_mistakes_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        table(**settings)


def test_languages_beside_translations_are_refused(squares: Path) -> None:
    with pytest.raises(ConfigError, match="languages: with translated"):
        load_recipe(squares, ["data.languages={en=1.0}"])
