"""The page about paper 3 says what the ledger says, and its recipes are recipes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from polyglance import Retriever
from polyglance.systems.config import PortazConfig
from polyglance.training.recipe import load_recipe
from polyglance.training.run import check_model
from support.colours import PALETTE, picture
from support.localiser import colour_localiser

RECIPES = Path(__file__).parents[2] / "recipes"
WAYS = ("image_to_text", "text_to_image")


@pytest.fixture
def recipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The modules of the recipe, which stand beside each other and in no package."""
    monkeypatch.syspath_prepend(str(RECIPES))
    for name in ("FLICKR8K", "VECTORS", "MULTI30K"):
        monkeypatch.setenv(f"POLYGLANCE_{name}", f"/{name.lower()}")
    import ledger
    import paper_3

    yield ledger, paper_3
    for name in (
        "ledger",
        "page_parts",
        "experiments",
        "paper_2_findings",
        "paper_3",
        "paper_3_page",
        "paper_3_vectors",
    ):
        sys.modules.pop(name, None)


def logged(ledger: ModuleType, space: str, trained: str, seed: int, **tens: float) -> Any:
    languages = {
        tag: {"rsum": 6 * ten, **{way: dict.fromkeys(ledger.RECALLS, ten) for way in WAYS}}
        for tag, ten in tens.items()
    }
    return ledger.Logged(
        table=space,
        name=trained,
        seed=seed,
        recipe={
            "data": {"views": 3},
            "model": {"dimension": 512},
            "training": {"batch_size": 128, "phases": [{"steps": 1000}]},
        },
        best_step=1000,
        languages=languages,
        curve=[(1000, {"en": 100.0})],
        losses=[(50, 100.0)],
        warnings=0,
        seconds=60.0,
        pairs=128_000,
        parameters={"unit": 10, "image": 20},
    )


def test_the_page_tells_shares_and_differences(recipes: Any, tmp_path: Path) -> None:
    ledger, paper_3 = recipes
    kept = ledger.Ledger(tmp_path / "runs.jsonl")
    for seed in range(3):
        kept.add(logged(ledger, "MUSE-style", "en", seed, en=60.0, fr=30.0, de=20.0, cs=10.0))
        kept.add(logged(ledger, "MUSE-style", "fr", seed, fr=45.0))
        kept.add(logged(ledger, "MUSE-style", "de", seed, de=50.0))
        kept.add(logged(ledger, "BiVec en–fr", "en", seed, en=50.0 + seed, fr=20.0))
        kept.add(logged(ledger, "BiVec en–fr", "en+fr", seed, en=53.0 + seed, fr=40.0))
    shares = {k: {"percent": 40.0, "low": 35.0, "high": 45.0} for k in (1, 5, 10)}
    quality = {"space": "MUSE-style", "language": "de", "csls": {"words": 321, "precision": shares}}
    (tmp_path / "paper-3-vectors.json").write_text(json.dumps([quality]))
    paper_3.write_page(kept, tmp_path / "page.md", 57)
    text = (tmp_path / "page.md").read_text("utf-8")
    assert "**15 of 57 runs are in" in text
    assert "| MUSE-style | de | 321 | 40.0 (35.0–45.0) |" in text
    assert "| MUSE-style | fr | 3 | 30.0 ± 0.0 | 45.0 ± 0.0 | 67%, met |" in text
    assert "| MUSE-style | de | 3 | 20.0 ± 0.0 | 50.0 ± 0.0 | 40%, not met |" in text
    assert "| MUSE-style | cs | 0 | not run |" in text
    assert "BiVec en–fr en+fr − BiVec en–fr en: +3.0 [+3.0, +3.0]" in text
    assert "| MUSE-style | en | 3 | 60.0 ± 0.0 | *30.0 ± 0.0* | *20.0 ± 0.0* |" in text
    assert "| word2vec | en | 0 | not run |" in text


def test_every_setting_is_a_recipe_with_a_row_of_its_own(recipes: Any) -> None:
    _, paper_3 = recipes
    found = paper_3.settings(3)
    assert len({(one.table, one.name, one.seed) for one in found}) == len(found) == 57
    for one in found:
        recipe = load_recipe(paper_3.BASE, paper_3.EXPERIMENT.overrides(one))
        model = check_model(recipe.model)
        assert isinstance(model, PortazConfig)
        files = model.text.words.by_language()
        assert {*recipe.data.languages, *recipe.data.zero_shot} == {*files}
        assert not {*recipe.data.languages} & {*recipe.data.zero_shot}
        assert all(path.is_relative_to("/vectors") for path in files.values())
        assert "/vectors" not in str(paper_3.EXPERIMENT.described(one))


def test_the_paper_size_recipe_is_a_recipe(recipes: Any) -> None:
    recipe = load_recipe(RECIPES / "portaz.toml", [])
    model = check_model(recipe.model)
    assert isinstance(model, PortazConfig)
    assert model.pooling.channels == model.dimension == 2400
    assert [phase.frozen for phase in recipe.training.phases] == [("image.backbone",), ()]


def test_of_one_setting_the_checkpoint_stays(
    recipes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, paper_3 = recipes

    def trained(_recipe: object, folder: Path, *, show_progress: bool) -> SimpleNamespace:
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "config.json").write_text(f"{show_progress}")
        return SimpleNamespace(signal=None, best_step=5)

    monkeypatch.setattr("polyglance.training.run.train", trained)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    kept = tmp_path / "kept" / "paper-3"
    experiment = replace(paper_3.EXPERIMENT, kept={("MUSE-style", "en", 0): kept})
    monkeypatch.setattr(type(experiment), "_read", lambda _self, setting, *_rest: setting)
    output = tmp_path / "runs"
    for one in paper_3.settings(1):
        assert experiment.run(one, output) == one
    assert [path.name for path in kept.iterdir()] == ["config.json"]
    assert list(output.iterdir()) == []


def test_mosaics_are_asked_of_the_rows_that_the_page_tells(
    recipes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, paper_3 = recipes
    lines = [
        {
            "image": picture(tmp_path / f"{colour}.png", colour).name,
            "captions": {tag: [colour] for tag in paper_3.LANGUAGES},
        }
        for colour in PALETTE
    ]
    (tmp_path / "val.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.setenv("POLYGLANCE_FLICKR8K", str(tmp_path))
    monkeypatch.setattr(Retriever, "load", lambda model: colour_localiser())
    monkeypatch.setattr(paper_3, "MOSAICS", 3)
    found = {
        (one.table, one.name): paper_3.EXPERIMENT.examine(one, tmp_path)
        for one in paper_3.settings(1)
    }
    expected = {"mosaics": 3, **{f"mosaics-{tag}": 100.0 for tag in paper_3.LANGUAGES}}
    assert found.pop(("MUSE-style", "en")) == expected
    assert found.pop(("MUSE-style", "en+fr+de+cs")) == expected
    assert not any(found.values())


def test_vectors_of_which_a_file_is_missing_are_made_again(
    recipes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import paper_3_vectors

    for code in ("fra", "deu", "ces"):
        (tmp_path / f"freedict-eng-{code}.index").touch()
    for name in ("MULTI30K_TEXT", "DICTIONARIES"):
        monkeypatch.setenv(f"POLYGLANCE_{name}", str(tmp_path))
    folder = tmp_path / "vectors"
    found = list(paper_3_vectors.commands(folder, tmp_path, tmp_path))
    assert len(found) == 15
    for path in {path for _, made in found for path in made}:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / "bivec-joined" / "cs.vec").unlink()  # of four, the last to be written
    (folder / "fasttext" / "de.vec").unlink()
    ran: list[str] = []
    monkeypatch.setattr(paper_3_vectors, "vectors", lambda verb, *_: ran.append(verb))
    monkeypatch.setattr(paper_3_vectors, "qualities", lambda *_: [])
    monkeypatch.setattr(paper_3_vectors, "QUALITY", tmp_path / "quality.json")
    monkeypatch.setattr(sys, "argv", ["paper_3_vectors.py", str(folder)])
    paper_3_vectors.main()
    assert ran == ["train", "join"]
