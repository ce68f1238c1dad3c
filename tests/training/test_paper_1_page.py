"""The page about paper 1 says what the ledger says, and its settings are recipes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from polyglance.systems.config import CLMRConfig, FeiConfig
from polyglance.training.recipe import load_recipe
from polyglance.training.system import check_model

RECIPES = Path(__file__).parents[2] / "recipes"
WAYS = ("image_to_text", "text_to_image")


@pytest.fixture
def recipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType, ModuleType]]:
    """The modules of the recipe, which stand beside each other and in no package."""
    monkeypatch.syspath_prepend(str(RECIPES))
    for name in ("FLICKR8K", "MULTI30K_TEXT"):
        monkeypatch.setenv(f"POLYGLANCE_{name}", f"/{name.lower()}")
    import ledger
    import paper_1
    import reranked

    yield ledger, paper_1, reranked
    for name in ("ledger", "page_parts", "experiments", "reranked", "paper_1", "paper_1_page"):
        sys.modules.pop(name, None)


def metrics(one: float) -> dict[str, Any]:
    each = {"R@1": one, "R@5": 2 * one, "R@10": 3 * one, "queries": 5000}
    return {"rsum": 12 * one, **dict.fromkeys(WAYS, each)}


def logged(recipes: Any, name: str, seed: int, *, first: float, alone: float, both: float) -> Any:
    _, paper_1, reranked = recipes
    setting = next(s for s in paper_1.settings(3) if (s.name, s.seed) == (name, seed))

    def everywhere(value: float) -> dict[str, Any]:
        return {tag: metrics(value) for tag in paper_1.LANGUAGES}

    return reranked.Reranked(
        table="reranked",
        name=name,
        seed=seed,
        recipe=paper_1.EXPERIMENT.described(setting),
        report={
            "images": 1000,
            "languages": everywhere(alone),
            "reranking": {
                "passes": 1_234_567,
                "ceiling": {tag: dict.fromkeys(WAYS, 88.0) for tag in paper_1.LANGUAGES},
                "first_stage": {"languages": everywhere(first)},
            },
        },
        both=everywhere(both),
        weights=(2.0, 4.0),
        curves={
            task: [(50, 9.0), (100, 4.0)]
            for task in ("mlm", "text_mlm", "tlm", "mrc", "cmtr", "cltr")
        },
        seconds={"first": 60.0, "pretraining": 70.0, "tuning": 80.0, "scoring": 90.0},
    )


def test_the_page_tells_lifts_and_differences(recipes: Any, tmp_path: Path) -> None:
    ledger, paper_1, reranked = recipes
    kept = ledger.Ledger(tmp_path / "runs.jsonl", reranked.Reranked)
    for seed in range(3):
        kept.add(
            logged(recipes, "without pretraining", seed, first=20.0, alone=19.0 + seed, both=22.0)
        )
        kept.add(logged(recipes, "pretrained", seed, first=20.0, alone=21.0 + seed, both=24.0))
    paper_1.write_page(kept, tmp_path / "page.md", 18)
    text = (tmp_path / "page.md").read_text("utf-8")
    assert "**6 of 18 runs are in" in text
    assert "| first stage alone | 3 | 20.0 ± 0.0 | 40.0 ± 0.0 |" in text
    assert "| 24.0 ± 0.0 | 20.0 ± 0.0 % |" in text  # lifted from 20 to 24
    assert (
        "English: reranking the best 64 lifts the mean R@1 by 20.0 ± 0.0 % (target 15 %, met)"
        in (text)
    )
    added, few = "+2.0 [+2.0, +2.0]", "(too few seeds)"
    assert f"| German | {added} | {added} | {few} | {few} |" in text
    assert "Ceiling: i→t 88.0 ± 0.0, t→i 88.0 ± 0.0." in text
    assert "| without TLM | 0 | not run |  | not run |  | 71.9 | 60.9 |" in text.replace(
        "(too few seeds)", ""
    )
    assert "| TLM | 50 | 9.00 | 100 | 4.00 |" in text
    assert "1,234,567 passes" in text
    assert "would be 25,000,000" in text  # five languages, 5,000 captions, 1,000 pictures
    assert "<svg" in (tmp_path / "paper-1-curves.svg").read_text("utf-8")


def test_a_page_of_nothing_says_so(recipes: Any, tmp_path: Path) -> None:
    ledger, paper_1, reranked = recipes
    kept = ledger.Ledger(tmp_path / "none.jsonl", reranked.Reranked)
    paper_1.write_page(kept, tmp_path / "page.md", 18)
    assert "Nothing run yet" in (tmp_path / "page.md").read_text("utf-8")


def test_every_setting_is_four_recipes(recipes: Any) -> None:
    _, paper_1, _ = recipes
    found = paper_1.settings(3)
    assert len({(one.name, one.seed) for one in found}) == len(found) == 20
    described = [str(paper_1.EXPERIMENT.described(one)) for one in found]
    assert len({*described}) == 20
    assert not [text for text in described if "/flickr8k" in text]
    for one in found:
        parts = paper_1.EXPERIMENT._parts(one)
        first, alignment, *further = (load_recipe(*parts[name]) for name in parts)
        assert isinstance(check_model(first.model), CLMRConfig)
        model = check_model(alignment.model)
        assert isinstance(model, FeiConfig)
        assert model.stream.likeness == ("no likeness" not in one.name)
        assert model.stream.sentence == ("no sentence" not in one.name)
        objectives = [recipe.model["objective"] for recipe in further]
        assert objectives == ["pretraining", "retrieval"]
        for recipe in (alignment, *further):
            assert recipe.data.languages == first.data.languages
            assert {*recipe.data.languages} == {*paper_1.LANGUAGES}


def test_rows_share_the_stages_that_they_have_in_common(recipes: Any) -> None:
    _, paper_1, _ = recipes
    folders = {
        (one.name, one.seed): paper_1.EXPERIMENT._folders(
            paper_1.EXPERIMENT._parts(one), Path("runs")
        )
        for one in paper_1.settings(2)
    }
    full, aligned = folders["pretrained", 0], folders["aligned alone", 0]
    assert full["first"] == aligned["first"] == folders["without pretraining", 0]["first"]
    assert full["alignment"] == aligned["alignment"] == folders["without TLM", 0]["alignment"]
    assert full["alignment"] != folders["without pretraining", 0]["alignment"]
    assert full["alignment"] != folders["pretrained", 1]["alignment"]
    # What goes on from another model is another one, though its own recipe is the same.
    assert len({each["tuning"] for each in folders.values()}) == len(folders)
