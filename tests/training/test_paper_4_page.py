"""The page about paper 4 says what the ledger says, and its settings are recipes."""

from __future__ import annotations

import json
import runpy
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from polyglance.systems.config import (
    CL2CMConfig,
    DistilledConfig,
    DualEncoderConfig,
    NRCCRConfig,
    SentenceTextConfig,
)
from polyglance.training.recipe import load_recipe
from polyglance.training.system import check_model

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "recipes"
BENCHMARK = ROOT / "benchmarks" / "paper_4_times.py"
WAYS = ("image_to_text", "text_to_image")


@pytest.fixture
def recipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The modules of the recipe, which stand beside each other and in no package."""
    monkeypatch.syspath_prepend(str(RECIPES))
    monkeypatch.setenv("POLYGLANCE_FLICKR8K", "/photos")
    import ledger
    import paper_4

    yield ledger, paper_4
    for name in (
        "ledger",
        "page_parts",
        "experiments",
        "paper_2_findings",
        "paper_4",
        "paper_4_findings",
        "paper_4_page",
    ):
        sys.modules.pop(name, None)


def measured(ledger: ModuleType, rsum: float) -> dict[str, Any]:
    ways = {way: dict.fromkeys(ledger.RECALLS, rsum / 6) for way in WAYS}
    return {"rsum": rsum, **ways}


def logged(
    ledger: ModuleType,
    table: str,
    name: str,
    seed: int,
    zh: float,
    en: float = 240.0,
    *,
    text: int = 3_000_000,
    warnings: int = 0,
) -> Any:
    return ledger.Logged(
        table=table,
        name=name,
        seed=seed,
        recipe={
            "data": {"views": 3},
            "model": {
                "system": "cl2cm",
                "dimension": 512,
                "epsilon": 0.05,
                "image": {"kind": "regions", "backbone": {"kind": "resnet50"}},
                "text": {"kind": "recurrent"},
            },
            "training": {
                "batch_size": 128,
                "evaluate_every": 300,
                "phases": [{"steps": 600, "learning_rate": 0.002}],
            },
        },
        best_step=600,
        languages={"zh": measured(ledger, zh), "en": measured(ledger, en)},
        curve=[(600, {"zh": zh, "en": en})],
        losses=[(50, 9.0)],
        warnings=warnings,
        seconds=60.0 + seed,
        pairs=76_800,
        parameters={"image": 1_000_000, "text": text},
    )


def written(recipes: Any, folder: Path, *runs: Any) -> str:
    """The page that these runs give."""
    ledger, paper_4 = recipes
    kept = ledger.Ledger(folder / "runs.jsonl")
    for run in runs:
        kept.add(run)
    page = folder / "results" / "page.md"
    paper_4.write_page(kept, page, 63)
    return page.read_text("utf-8")


def line(text: str, start: str) -> str:
    """The first line of a page that starts so."""
    return next(each for each in text.splitlines() if each.startswith(start))


def main_table(ledger: ModuleType, **zh: float) -> list[Any]:
    """Three seeds of rows of the main table, each seed a point better than the one before."""
    return [
        logged(ledger, "Chinese", name.replace("_", " "), seed, rsum + seed)
        for name, rsum in zh.items()
        for seed in range(3)
    ]


def test_an_empty_ledger_says_so_everywhere(recipes: Any, tmp_path: Path) -> None:
    text = written(recipes, tmp_path)
    assert "Nothing run yet." in text
    assert "| NRCCR | 0 | not run | not run |" in text  # of the gap
    assert "CL2CM − plain: not run |" in text
    assert "| 40 % | 0 | not run | not run | not run | not run | not run |" in text
    assert "| CL2CM | without the transport of words | 0 | not run | not run |  | not run |" in text
    assert "Time to encode: not run" in text
    assert "Target: CL2CM has the parameters" not in text


def test_the_main_table_tells_both_languages(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    runs = main_table(ledger, plain=150.0, CL2CM=156.0)
    for seed in range(3):
        runs += [
            logged(ledger, "Chinese", "English alone, words", seed, 60.0, 250.0 + seed),
            logged(ledger, "Chinese", "NRCCR", seed, 150.0, 252.0 + 4 * seed),
            logged(ledger, "Chinese", "text tower distilled", seed, 150.0, 251.0 + seed),
        ]
    text = written(recipes, tmp_path, *runs)
    assert "**15 of 63 runs are in" in text
    assert "600 steps of 128 photos" in text
    assert "ε = 0.05, 20 iterations" in text
    cl2cm = line(text, "| CL2CM | the same pairs")
    assert "our interpretation | 3 | 26.2 ± 0.4 |" in cl2cm
    assert cl2cm.endswith("| 157.0 ± 2.5 | 240.0 ± 0.0 | -11.0 [-13.5, -8.5], hurt |")
    assert line(text, "| NRCCR | the same").endswith("| +5.0 [-2.5, +12.5], not told apart |")
    assert line(text, "| text tower distilled |").endswith("| +1.0 [+1.0, +1.0], helped |")
    assert line(text, "| English alone, words |").endswith("| 60.0 ± 0.0 | 251.0 ± 2.5 |  |")
    assert line(text, "| human captions |").count("not run") == 9
    assert "| 0 | absent: no translator |  |" in line(text, "| translate-test |")
    assert "no model that translates Chinese into English was at hand" in text


def test_translated_queries_are_told_where_somebody_had_them(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    (tmp_path / "results").mkdir()
    for seed in range(2):
        report = json.dumps({"languages": {"en": measured(ledger, 180.0 + seed)}})
        (tmp_path / "results" / f"paper-4-translate-test-{seed}.json").write_text(report)
    text = written(recipes, tmp_path)
    row = line(text, "| translate-test |")
    assert "| 2 | 30.1 ± 1.1 |" in row
    assert "| 180.5 ± 6.4 |  |  |" in row
    assert "absent" not in text


@pytest.mark.parametrize(
    ("taught", "cells"),
    [
        (170.0, "+20.0 [+20.0, +20.0] | 66.7 ± 0.0 | met |"),
        (155.0, "+5.0 [+5.0, +5.0] | 16.7 ± 0.0 | not met |"),
        (140.0, "-10.0 [-10.0, -10.0] | -33.3 ± 0.0 | not met |"),
    ],
)
def test_the_gap_is_shared_by_paired_seeds(
    recipes: Any, tmp_path: Path, taught: float, cells: str
) -> None:
    ledger, _ = recipes
    runs = main_table(ledger, plain=150.0, human_captions=180.0, CL2CM=taught)
    runs.append(logged(ledger, "Chinese", "NRCCR", 1, 166.0))
    text = written(recipes, tmp_path, *runs)
    assert "machine translations: +30.0 [+30.0, +30.0]." in text
    assert f"| CL2CM | 3 | {cells}" in text
    assert "| NRCCR | 1 | not run | 50.0 |  |" in text
    assert "| CL2CM | 0 | not run | not run | not run | not run |" in text  # of whole texts


def test_the_gap_of_whole_texts_is_told_beside_it(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    runs = [
        logged(ledger, "whole texts", name, seed, rsum + seed)
        for name, rsum in (("plain", 150.0), ("CL2CM", 155.0), ("human captions", 170.0))
        for seed in range(3)
    ]
    text = written(recipes, tmp_path, *runs)
    assert "| plain | 3 | 151.0 ± 2.5 | 240.0 ± 0.0 |  |  |" in text
    cl2cm = "| CL2CM | 3 | 156.0 ± 2.5 | 240.0 ± 0.0 | +5.0 [+5.0, +5.0] | 25.0 ± 0.0 |"
    assert cl2cm in text
    human = "| human captions | 3 | 171.0 ± 2.5 | 240.0 ± 0.0 | +20.0 [+20.0, +20.0] |  |"
    assert human in text


def test_a_share_that_seeds_do_not_settle_says_so(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    runs = main_table(ledger, plain=150.0, human_captions=180.0)
    runs += [logged(ledger, "Chinese", "CL2CM", s, rsum) for s, rsum in enumerate((163, 168, 167))]
    text = written(recipes, tmp_path, *runs)
    assert "| 50.0 ± 16.6 | met, 50 within the interval |" in text  # 43.3, 56.7 and 50
    runs = [*runs[:3], *main_table(ledger, human_captions=151.0, CL2CM=152.0)]
    runs.append(logged(ledger, "Chinese", "human captions", 2, 140.0))
    (tmp_path / "runs.jsonl").unlink()
    text = written(recipes, tmp_path, *runs)
    assert "| CL2CM | 3 | +2.0 [+2.0, +2.0] | no gap in 1 of 3 seeds |  |" in text


def test_wins_and_losses_go_by_their_intervals(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    runs = main_table(ledger, plain=150.0, CL2CM=156.0, text_tower_distilled=160.0)
    runs += [logged(ledger, "Chinese", "NRCCR", s, rsum) for s, rsum in enumerate((150, 160, 158))]
    text = written(recipes, tmp_path, *runs)
    assert "CL2CM − plain: +6.0 [+6.0, +6.0], yes |" in text
    assert "CL2CM − text tower distilled: -4.0 [-4.0, -4.0], no |" in text
    assert "CL2CM − NRCCR: +1.0 [-10.4, +12.4], not told apart |" in text
    assert "CL2CM − English alone, sentences: not run |" in text


def test_noise_costs_each_system_its_own(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    runs = main_table(ledger, plain=150.0, CL2CM=156.0)
    for seed in range(3):
        runs += [
            logged(ledger, "noise", "plain, 40 %", seed, 120.0 + seed),
            logged(ledger, "noise", "CL2CM, 40 %", seed, 130.0 + seed),
            logged(ledger, "noise", "CL2CM, 20 %", seed, 145.0 + seed),
        ]
    text = written(recipes, tmp_path, *runs)
    clean = "151.0 ± 2.5 | not run | 157.0 ± 2.5 | +6.0 [+6.0, +6.0], yes | not run |"
    assert f"| 0 % | 0 | {clean}" in text
    assert "| 20 % | 0 | not run | not run | 146.0 ± 2.5 | not run | not run |" in text
    assert "| 40 % | 0 | 121.0 ± 2.5 | not run | 131.0 ± 2.5 | +10.0 [+10.0, +10.0], yes |" in text
    cost = "-30.0 [-30.0, -30.0] | not run | -26.0 [-26.0, -26.0] | +4.0 [+4.0, +4.0], yes |"
    assert f"| 0 % → 40 % | 0 | {cost}" in text


def test_trust_is_told_against_the_same_mistakes(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    runs = main_table(ledger, plain=150.0, CL2CM=156.0)
    for seed in range(3):
        runs += [
            logged(ledger, "noise", "plain, 40 %", seed, 120.0 + seed),
            logged(ledger, "noise", "CL2CM, 40 %", seed, 119.0 + seed),
            logged(ledger, "trust", "CL2CM, trusting, 0 %", seed, 155.0 + seed),
            logged(ledger, "trust", "CL2CM, trusting, 40 %", seed, 125.0 + seed),
        ]
    text = written(recipes, tmp_path, *runs)
    found = "| 0 % | its own | 3 | 156.0 ± 2.5 | 240.0 ± 0.0 | -1.0 [-1.0, -1.0], no |"
    assert f"{found} +5.0 [+5.0, +5.0], yes |" in text
    found = "| 40 % | its own | 3 | 126.0 ± 2.5 | 240.0 ± 0.0 | +6.0 [+6.0, +6.0], yes |"
    assert f"{found} +5.0 [+5.0, +5.0], yes |" in text
    assert "| 40 % | frozen | 0 | not run | not run | not run | not run | not run |" in text


def test_parts_help_or_do_not(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    runs = main_table(ledger, CL2CM=156.0, NRCCR=150.0)
    for seed in range(3):
        hardest = logged(ledger, "parts", "NRCCR, maximum of hinges", seed, 4.0, 4.0, warnings=2)
        runs += [
            logged(ledger, "parts", "without words", seed, 159.0 + seed),
            logged(ledger, "teachers", "frozen sentence encoder", seed, 150.0 + 9 * (seed - 1)),
            hardest,
        ]
    text = written(recipes, tmp_path, *runs)
    words = "without the transport of words | 3 | 160.0 ± 2.5 | 240.0 ± 0.0 | 0 | -3.0 [-3.0, -3.0]"
    assert f"| CL2CM | {words} | no |" in text
    frozen = line(text, "| CL2CM | the teacher is the frozen sentence encoder")
    assert frozen.endswith("| +7.0 [-12.9, +26.9] | not told apart |")
    assert "hardest negative, margin .2, summed | 3 | 4.0 ± 0.0 | 4.0 ± 0.0 | 6 | +147.0" in text
    assert "teaches nobody | 0 | not run | not run |  | not run |  |" in text


@pytest.mark.parametrize(
    ("text_side", "same", "word"), [(3_000_000, "yes", "met"), (3_100_000, "no", "not met")]
)
def test_the_size_is_that_of_the_plain_encoder(
    recipes: Any, tmp_path: Path, text_side: int, same: str, word: str
) -> None:
    ledger, _ = recipes
    plain = logged(ledger, "Chinese", "plain", 0, 150.0)
    taught = logged(ledger, "Chinese", "CL2CM", 0, 156.0, text=text_side)
    text = written(recipes, tmp_path, plain, taught)
    row = f"| CL2CM | 1,000,000 | {text_side:,} | {text_side + 1_000_000:,} | {same} | 60 |"
    assert row in text
    assert "| NRCCR | not run | not run | not run | not run | not run |" in text
    assert f"parameters of the plain dual encoder: **{word}**." in text


@pytest.mark.parametrize(
    ("ratios", "word"),
    [
        ((1.00, 1.01, 0.99, 1.02), "met"),
        ((1.30, 1.31, 1.29, 1.32), "not met"),
        ((0.70, 0.71, 0.69, 0.72), "met, it is faster"),
        ((0.80, 1.30, 1.05, 0.90), "not told apart"),
    ],
)
def test_speed_goes_by_rounds(
    recipes: Any, tmp_path: Path, ratios: tuple[float, ...], word: str
) -> None:
    (tmp_path / "results").mkdir()
    rows = [
        {"system": name, "seconds": seconds, "captions": 5000, "threads": 2}
        for name, seconds in (("plain", [2.0] * 4), ("cl2cm", [2 * ratio for ratio in ratios]))
    ]
    (tmp_path / "results" / "paper-4-times.json").write_text(json.dumps(rows))
    text = written(recipes, tmp_path)
    assert "| plain | 2.00 | 2,500 |" in text
    assert f"within 5 %: **{word}**." in text


def test_every_setting_is_a_recipe_with_a_row_of_its_own(recipes: Any) -> None:
    _, paper_4 = recipes
    import paper_4_findings as findings

    found = paper_4.settings(3)
    assert len({(one.table, one.name, one.seed) for one in found}) == len(found) == 84
    assert [one.table for one in found[:21]] == ["Chinese"] * 21
    assert [one.seed for one in found[:21]] == [0] * 7 + [1] * 7 + [2] * 7
    shared: set[str] = set()
    for one in found:
        recipe = load_recipe(paper_4.BASE, paper_4.EXPERIMENT.overrides(one))
        model = check_model(recipe.model)
        phase = recipe.training.phases[0]
        assert recipe.training.seed == one.seed
        assert phase.steps == (1800 if one.table == findings.LONGER else 600)
        data = recipe.data.model_dump(include={"train", "validation", "views", "limit"})
        same = phase.model_dump(exclude={"steps"})
        shared.add(f"{model.image} {model.dimension} {data} {same} {recipe.training.batch_size}")
        assert (model.loss.kind == "max_of_hinges") == (one.name == findings.HARDEST)
        whole = one.table in (findings.WHOLE, findings.LONGER) or one.name == findings.SENTENCES
        assert isinstance(model.text, SentenceTextConfig) == whole
        assert "/photos" not in str(paper_4.EXPERIMENT.described(one))
    assert len(shared) == 1  # all but text side, system, what it learns from and for how long


def test_settings_are_what_their_names_say(recipes: Any) -> None:
    _, paper_4 = recipes
    import paper_4_findings as findings

    loaded = {
        (one.table, one.name): load_recipe(paper_4.BASE, paper_4.EXPERIMENT.overrides(one))
        for one in paper_4.settings(1)
    }
    models = {row: check_model(recipe.model) for row, recipe in loaded.items()}
    main = {name: models[findings.MAIN, name] for table, name in models if table == findings.MAIN}
    kinds = {name: type(model) for name, model in main.items()}
    plain = {findings.PLAIN, findings.HUMAN, findings.ENGLISH, findings.SENTENCES}
    assert {name for name, kind in kinds.items() if kind is DualEncoderConfig} == plain
    assert kinds[findings.NRCCR] is NRCCRConfig
    assert kinds[findings.CL2CM] is CL2CMConfig
    assert kinds[findings.DISTILLED] is DistilledConfig
    assert {*findings.VARIANTS} == {row for row in models if row[0] in ("parts", "teachers")}
    words, apart = models[findings.PARTS, findings.WORDLESS], models[findings.PARTS, findings.APART]
    assert words == main[findings.CL2CM].model_copy(update={"word_weight": 0.0})
    assert apart == main[findings.CL2CM].model_copy(update={"distillation_weight": 0.0})
    trusting = models[findings.TRUST, findings.noisy(findings.TRUSTING, 0.4)]
    assert trusting == main[findings.CL2CM].model_copy(update={"trusted_rank": 5})
    trusted_at = {findings.noisy(*row) for row in findings.TRUSTED_AT}
    assert trusted_at == {name for table, name in models if table == findings.TRUST}
    for (table, name), recipe in loaded.items():
        data = recipe.data
        if name in (findings.ENGLISH, findings.SENTENCES):
            assert (data.translated, data.languages, data.zero_shot) == (None, {"en": 1}, ("zh",))
            continue
        assert data.translated.human == (name == findings.HUMAN)
        rates = data.translated.noise
        assert (rates is None) == (table != findings.NOISE and not name.endswith(("20 %", "40 %")))
        if rates is not None:
            assert name.endswith(f", {100 * rates.drop:.0f} %")
            assert rates.drop == rates.swap == rates.wrong


def test_what_is_kept_is_what_page_and_benchmark_take(recipes: Any, tmp_path: Path) -> None:
    _, paper_4 = recipes
    kept = {path: row for row, path in paper_4.EXPERIMENT.kept.items()}
    assert {*kept.values()} <= {(one.table, one.name, one.seed) for one in paper_4.settings(3)}
    names = {"plain", "cl2cm", "english-0", "english-1", "english-2"}
    assert {path.name for path in kept} == names
    assert "runs/kept/paper-4/english-$seed" in written(recipes, tmp_path)
    benchmark = runpy.run_path(str(BENCHMARK))
    assert {benchmark["KEPT"] / name for name in benchmark["SYSTEMS"]} <= {*kept}


def test_the_benchmark_loads_each_model_anew_and_in_turns(
    recipes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = {"image": "a.jpg", "captions": {"zh": ["白狗", "黑狗。"], "en": ["a dog"]}}
    (tmp_path / "val.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    (tmp_path / "results").mkdir()
    monkeypatch.setenv("POLYGLANCE_FLICKR8K", str(tmp_path))
    benchmark = runpy.run_path(str(BENCHMARK))
    asked: list[str] = []
    encoded: list[list[str]] = []

    def system(folder: Path) -> SimpleNamespace:
        asked.append(folder.name)
        return SimpleNamespace(prepare_texts=lambda some, tags: [*some, *tags], encode_texts=encode)

    def encode(texts: list[str]) -> None:
        encoded.append(texts)
        time.sleep(0.001)

    monkeypatch.setitem(benchmark["main"].__globals__, "loaded", system)
    output = tmp_path / "results" / "paper-4-times.json"
    monkeypatch.setitem(benchmark["main"].__globals__, "OUTPUT", output)
    benchmark["main"]()
    rounds, turns = benchmark["ROUNDS"], benchmark["TURNS"]
    assert asked[:4] == ["cl2cm", "plain", "plain", "cl2cm"]
    assert encoded == [["黑狗。", "白狗", "zh", "zh"]] * 2 * turns * (rounds + 1)
    rows = {row["system"]: row for row in json.loads(output.read_text("utf-8"))}
    assert [len(row["seconds"]) for row in rows.values()] == [rounds, rounds]
    assert {row["captions"] for row in rows.values()} == {2}
    assert "| median of seconds | captions a second |" in written(recipes, tmp_path)
