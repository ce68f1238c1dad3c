"""The page about paper 2 says what the ledger says, whichever way it goes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"
WAYS = ("image_to_text", "text_to_image")


@pytest.fixture
def recipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The modules of the recipe, which stand beside each other and in no package."""
    monkeypatch.syspath_prepend(str(RECIPES))
    import ledger
    import paper_2

    yield ledger, paper_2
    for name in (
        "ledger",
        "page_parts",
        "experiments",
        "paper_2",
        "paper_2_page",
        "paper_2_findings",
    ):
        sys.modules.pop(name, None)


def logged(
    ledger: ModuleType,
    table: str,
    name: str,
    seed: int,
    regions: dict[str, float] | None = None,
    loss: float = 51.2,
    **rsums: float,
) -> Any:
    languages = {
        tag: {"rsum": rsum, **{way: dict.fromkeys(ledger.RECALLS, rsum / 6) for way in WAYS}}
        for tag, rsum in rsums.items()
    }
    return ledger.Logged(
        table=table,
        name=name,
        seed=seed,
        recipe={
            "data": {"views": 3},
            "model": {"dimension": 512, "image_dropout": 0.3},
            "training": {
                "batch_size": 128,
                "phases": [{"steps": 1000, "learning_rate": 0.004}],
            },
        },
        best_step=500,
        languages=languages,
        curve=[(500, {tag: rsum - 1 for tag, rsum in rsums.items()}), (1000, dict(rsums))],
        losses=[(50, 100.0), (100, loss)],
        warnings=2,
        seconds=60.0,
        pairs=128_000,
        parameters={"words": 10, "gru": 20, "image": 3_000_000},
        regions=regions or {},
    )


def test_seeds_are_paired(recipes: Any) -> None:
    ledger, _ = recipes
    first = [logged(ledger, "t", "a", seed, en=value) for seed, value in enumerate((10, 20, 30))]
    second = [logged(ledger, "t", "b", seed, en=value) for seed, value in enumerate((9, 19, 29))]
    assert ledger.difference(first, second, "en") == (1.0, 0.0)
    assert ledger.difference(first, second[:1], "en") is None


def test_a_run_is_finished_only_by_the_recipe_that_it_had(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    kept = ledger.Ledger(tmp_path / "runs.jsonl")
    run = logged(ledger, "t", "a", 0, en=200.0)
    assert not kept.has(run.key, run.recipe)
    kept.add(run)
    assert kept.has(run.key, run.recipe)
    assert not kept.has(run.key, {**run.recipe, "model": {}})
    kept.add(logged(ledger, "t", "a", 0, en=300.0))
    assert [other.rsum("en") for other in kept] == [300.0]


def test_the_page_tells_wins_losses_and_what_was_not_run(recipes: Any, tmp_path: Path) -> None:
    ledger, paper_2 = recipes
    kept = ledger.Ledger(tmp_path / "runs.jsonl")
    for seed in range(3):
        kept.add(logged(ledger, "single-en", "LIWE", seed, en=290.0 + seed))
        kept.add(logged(ledger, "single-en", "CLMR", seed, en=280.0 + seed))
        kept.add(logged(ledger, "single-en", "VSE++", seed, en=285.0 + seed))
        tags = dict.fromkeys(paper_2.LANGUAGES, 250.0) | {"cs": 120.0, "fr": 160.0}
        kept.add(logged(ledger, "co-training", "LIWE: all captions", seed, **tags))
        kept.add(logged(ledger, "losses", "CLMR, max", seed, en=90.0))
        kept.add(logged(ledger, "losses", "CLMR, annealed", seed, en=270.0))
        kept.add(logged(ledger, "non-local", "paper", seed, en=200.0))
    paper_2.write_page(kept, tmp_path / "page.md", 99)
    text = (tmp_path / "page.md").read_text("utf-8")
    assert "LIWE − CLMR: +10.0 [+10.0, +10.0], yes" in text
    assert "CLMR − VSE++: -5.0 [-5.0, -5.0], no" in text
    assert "21 of 99 runs are in" in text
    assert "| SCAN t2i | 0 | not run |" in text
    assert "Czech reaches 75 % of French" in text
    assert "| CLMR, max | 3 | 89.0 ± 0.0 | 90.0 ± 0.0 | 100.0 ± 0.0 | 51.2 ± 0.0 |" in text
    assert "| none | 61.8 | 44.6 | 3 |" in text  # of the losses
    assert "| linear | 60.7 | 44.7 | 0 | not run |" in text
    assert "Not run (`python recipes/paper_2_sizes.py`)" in text


def test_reasons_are_given_only_where_the_runs_bear_them_out(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    import paper_2_findings as findings

    def kept(name: str, behind: float, later: float, width: float) -> Any:
        runs = ledger.Ledger(tmp_path / f"{name}.jsonl")
        for seed in range(3):
            noise = 0.1 * seed
            runs.add(logged(ledger, "single-en", "CLMR", seed, en=300.0))
            runs.add(logged(ledger, "single-en", "LIWE", seed, en=300.0 - behind + noise))
            runs.add(logged(ledger, "single-en", "VSE++", seed, en=250.0))
            runs.add(logged(ledger, "single-en", "SCAN t2i", seed, en=240.0, loss=60.0))
            runs.add(logged(ledger, "longer", "CLMR", seed, en=310.0))
            runs.add(logged(ledger, "longer", "LIWE", seed, en=310.0 - later + noise))
            runs.add(logged(ledger, "losses", "CLMR, max", seed, en=3.0))
            runs.add(logged(ledger, "losses", "CLMR, sum", seed, en=200.0))
            runs.add(logged(ledger, "losses", "CLMR, annealed", seed, en=220.0))
            look = {"alike": 0.7, "width": width}
            runs.add(logged(ledger, "non-local", "paper", seed, en=200.0, regions=look))
        return runs

    closing, staying = kept("closing", 20.0, 5.0, 0.001), kept("staying", 20.0, 20.0, 0.5)
    ahead = kept("ahead", -20.0, -20.0, 0.001)
    assert "SCAN too is still learning" in "".join(findings.orders(closing))
    assert "closes the gap" in "".join(findings.orders(closing))
    assert "slower to learn" not in "".join(findings.orders(closing))  # their losses are alike
    assert "does not close the gap" in "".join(findings.orders(staying))
    assert "Why LIWE is behind" not in "".join(findings.orders(ahead))
    assert "in 3 of 3 runs" in "".join(findings.standing_still(closing))
    assert "width up to 0.001" in "".join(findings.narrow_attention(closing))
    assert findings.narrow_attention(staying) == []


def test_every_setting_is_a_recipe_of_its_own(recipes: Any, monkeypatch: Any) -> None:
    from polyglance.training.recipe import load_recipe
    from polyglance.training.system import check_model

    _, paper_2 = recipes
    monkeypatch.setenv("POLYGLANCE_FLICKR8K", "/photos")
    monkeypatch.setenv("POLYGLANCE_MULTI30K_TEXT", "/text")
    found = paper_2.settings(3)
    assert len({(one.table, one.name, one.seed) for one in found}) == len(found)
    for one in found:
        recipe = load_recipe(paper_2.BASE, paper_2.EXPERIMENT.overrides(one))
        check_model(recipe.model)
        assert recipe.training.seed == one.seed
        assert "/photos" not in str(paper_2.EXPERIMENT.described(one))
