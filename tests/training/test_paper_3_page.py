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
from polyglance.evaluation.bootstrap import Interval
from polyglance.evaluation.pointing import Pointed, Pointing
from polyglance.systems.config import PortazConfig
from polyglance.training.recipe import load_recipe
from polyglance.training.system import check_model
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
        "paper_3_findings",
        "paper_3_page",
        "paper_3_vectors",
    ):
        sys.modules.pop(name, None)


def logged(
    ledger: ModuleType,
    space: str,
    trained: str,
    seed: int,
    *,
    regions: dict[str, float] | None = None,
    steps: int = 1000,
    **tens: float,
) -> Any:
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
            "model": {
                "dimension": 512,
                "pooling": {"kind": "weldon", "channels": 512},
                "text": {"unit": {"kind": "sru", "layers": 4}},
            },
            "training": {"batch_size": 128, "phases": [{"steps": steps}]},
        },
        best_step=1000,
        languages=languages,
        curve=[(1000, {"en": 100.0})],
        losses=[(50, 100.0)],
        warnings=0,
        seconds=60.0,
        pairs=128_000,
        parameters={"unit": 10, "image": 20},
        regions=regions or {},
    )


def written(recipes: Any, folder: Path, *runs: Any) -> str:
    """The page that these runs give."""
    ledger, paper_3 = recipes
    kept = ledger.Ledger(folder / "runs.jsonl")
    for run in runs:
        kept.add(run)
    page = folder / "results" / "page.md"
    paper_3.write_page(kept, page, 69)
    return page.read_text("utf-8")


def test_the_page_tells_numbers_and_what_is_missing(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    shares = {k: {"percent": 40.0, "low": 35.0, "high": 45.0} for k in (1, 5, 10)}
    quality = {"space": "MUSE-style", "language": "de", "csls": {"words": 321, "precision": shares}}
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "paper-3-vectors.json").write_text(json.dumps([quality]))
    runs = [
        logged(ledger, "MUSE-style", "en", seed, steps=1500, en=60.0, fr=30.0, de=20.0, cs=10.0)
        for seed in range(3)
    ]
    runs += [logged(ledger, "fastText", "en", 0, steps=900, en=58.0, fr=2.0, de=2.0, cs=2.0)]
    text = written(recipes, tmp_path, *runs)
    assert "**4 of 69 runs are in" in text
    assert "| MUSE-style | de | 321 | 40.0 (35.0–45.0) |" in text
    assert "| steps | two days of four GPUs | 900 or 1,500 of 128 pairs |" in text
    assert "4 SRU layers, WELDON pooling with\n15 maxima and 15 minima" in text
    cells = "60.0 ± 0.0 | *30.0 ± 0.0* | *20.0 ± 0.0* | *10.0 ± 0.0* | 30.0 ± 0.0 | 56.60"
    assert f"| MUSE-style | en | 3 | {cells}" in text
    assert "| fastText | en | 1 | 58.0 | *2.0* | *2.0* | *2.0* | 16.0 |" in text
    assert "| word2vec | en+fr+de+cs | 0 | not run |" in text
    assert "| fastText | en+fr |" not in text
    assert text.count("| MUSE-style | en+fr+de |") == text.count("| BiVec, joined | en+fr+de |")


def test_two_languages_have_a_mean(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    runs = [logged(ledger, "BiVec en–fr", "en", seed, en=50.0 + seed, fr=20.0) for seed in (0, 1)]
    text = written(recipes, tmp_path, *runs)
    means = "50.5 ± 6.4 | *20.0 ± 0.0* | 35.2 ± 3.2 | 53.35 | 26.13 | 39.74"
    assert f"| BiVec en–fr | en | 2 | {means} |" in text
    assert (
        "| BiVec en–de | en+de | 0 | not run | not run | not run | 61.44 | 43.59 | 52.51 |" in text
    )


def test_shares_are_of_paired_seeds(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    runs = []
    for seed, better in enumerate((0.0, 1.0, 2.0)):
        zero_shot = {"fr": 30.0 + better, "de": 20.0 + better, "cs": 10.0 + better}
        runs.append(logged(ledger, "MUSE-style", "en", seed, en=60.0, **zero_shot))
        for tag, own in (("fr", 40.0), ("de", 50.0), ("cs", 20.0)):
            if (tag, seed) != ("cs", 2):
                runs.append(logged(ledger, "MUSE-style", tag, seed, **{tag: own}))
        runs.append(logged(ledger, "BiVec en–fr", "en", seed, en=50.0, fr=20.0))
    text = written(recipes, tmp_path, *runs)
    assert "| MUSE-style | fr | 3 | 31.0 ± 2.5 | 40.0 ± 0.0 | 77.5 ± 6.2 | met |" in text
    assert "| MUSE-style | de | 3 | 21.0 ± 2.5 | 50.0 ± 0.0 | 42.0 ± 5.0 | not met |" in text
    assert "| MUSE-style | cs | 2 | 10.5 ± 6.4 | 20.0 ± 0.0 | 52.5 ± 31.8 | not met |" in text
    assert "| MUSE-style | mean | 2 | 20.5 ± 6.4 | 36.7 ± 0.0 | 56.6 ± 20.1 | not met |" in text
    assert "| BiVec en–fr | fr | 3 | 20.0 ± 0.0 | 40.0 ± 0.0 | 50.0 ± 0.0 | not met |" in text
    assert "| BiVec, joined | mean | 0 | not run |" in text


def test_claims_hold_by_their_intervals(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    runs = []
    for seed in range(3):
        more = {"fr": 40.0, "de": 40.0, "cs": 40.0}
        runs += [
            logged(ledger, "BiVec en–fr", "en", seed, en=50.0 + seed, fr=20.0),
            logged(ledger, "BiVec en–fr", "en+fr", seed, en=53.0 + seed, fr=40.0),
            logged(ledger, "MUSE-style", "en", seed, en=60.0, fr=30.0, de=20.0, cs=10.0),
            logged(ledger, "MUSE-style", "en+fr+de+cs", seed, en=58.5, **more),
            logged(ledger, "BiVec, joined", "en", seed, en=60.0, **more),
            logged(ledger, "BiVec, joined", "en+fr+de+cs", seed, en=57.0 + seed % 2, **more),
            logged(ledger, "fastText", "en", seed, en=59.0, **more),
        ]
    text = written(recipes, tmp_path, *runs)
    french = "BiVec en–fr en+fr − BiVec en–fr en: +3.0 [+3.0, +3.0] | yes |"
    assert f"| French improves English with BiVec | en, R@10 | +6.41 | {french}" in text
    assert f"| French improves English with BiVec | en, R@1 | +0.52 (COCO) | {french}" in text
    cost = "three languages more cost English at most 2 points | en, R@10"
    muse = "MUSE-style en+fr+de+cs − MUSE-style en"
    assert f"| {cost} | −1.28 | {muse}: -1.5 [-1.5, -1.5] | yes |" in text
    joined = "BiVec, joined en+fr+de+cs − BiVec, joined en"
    assert f"| {cost} |  | {joined}: -2.7 [-4.1, -1.2] | not told apart |" in text
    gain = "three languages more improve the mean of the four | mean, R@10"
    assert f"| {gain} | +2.98 | {muse}: +14.6 [+14.6, +14.6] | yes |" in text
    aligned = "fastText en − MUSE-style en: -1.0 [-1.0, -1.0] | no |"
    assert f"| fastText loses by being aligned | en, R@10 | +0.11 (COCO) | {aligned}" in text
    assert "| en, R@10 | +0.45 (COCO) | fastText en − word2vec en: not run |  |" in text


def test_mosaics_of_mini_and_of_trained_models(recipes: Any, tmp_path: Path) -> None:
    ledger, _ = recipes
    unmeasured = written(recipes, tmp_path)
    assert "| `mini` | | | not run |" in unmeasured
    assert "| MUSE-style, trained on en | 0 | | not run |" in unmeasured

    tags = ("en", "de", "fr", "zh", "pt", "ar", "cs")
    hits = {tag: Pointed(90.0 - place, Interval(80, 95), 9) for place, tag in enumerate(tags)}
    pointing = Pointing(hits, Pointed(87.0), mosaics=250, side=448, seed=0)
    report = json.dumps({"images": 1000, "pointing": pointing.as_dict()})
    (tmp_path / "results" / "paper-3-mini.json").write_text(report)
    runs = [
        logged(
            ledger,
            "MUSE-style",
            "en",
            seed,
            regions={"mosaics": 100, "mosaics-en": 64.0 + seed, "mosaics-fr": 52.0}
            | {"mosaics-de": 54.0, "mosaics-cs": 30.0},
            en=60.0,
            fr=30.0,
            de=20.0,
            cs=10.0,
        )
        for seed in range(2)
    ]
    text = written(recipes, tmp_path, *runs)
    assert "| model | seeds | mosaics | en | fr | de | cs | zh | pt | ar | en ≥ 65 | mean" in text
    mini = " | ".join(f"{90 - place:.1f} (80.0–95.0)" for place in (0, 2, 1, 6, 3, 4, 5))
    assert f"| `mini` | | 250 | {mini} | met | 87.0, met |" in text
    trained = "64.5 ± 6.4 | *52.0 ± 0.0* | *54.0 ± 0.0* | *30.0 ± 0.0* |  |  |  "
    assert f"| MUSE-style, trained on en | 2 | 100 | {trained}| not met | 53.0, not met |" in text
    assert "| MUSE-style, trained on en+fr+de+cs | 0 | | not run |" in text


def test_figure_5_is_shown_once_it_is_drawn(recipes: Any, tmp_path: Path) -> None:
    text = written(recipes, tmp_path)
    assert "Not drawn yet." in text
    assert "--words docs/heat_maps_paper_3.json --model runs/kept/paper-3 --to docs/images/" in text
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "paper-3-heat-maps.webp").touch()
    text = written(recipes, tmp_path)
    assert "](../images/paper-3-heat-maps.webp)" in text
    assert "Not drawn yet." not in text
    rows = json.loads((RECIPES.parent / "docs" / "heat_maps_paper_3.json").read_text("utf-8"))
    assert all(list(row) == ["en", "fr", "de", "cs"] for row in rows)


def test_every_setting_is_a_recipe_with_a_row_of_its_own(recipes: Any) -> None:
    _, paper_3 = recipes
    found = paper_3.settings(3)
    plain = load_recipe(paper_3.BASE, []).training.phases[0].steps
    assert len({(one.table, one.name, one.seed) for one in found}) == len(found) == 69
    for one in found:
        recipe = load_recipe(paper_3.BASE, paper_3.EXPERIMENT.overrides(one))
        model = check_model(recipe.model)
        assert isinstance(model, PortazConfig)
        longer = one.name.endswith(paper_3.LONGER)
        assert recipe.training.phases[0].steps == (2 if longer else 1) * plain
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
    assert recipe.data.captions_per_picture * recipe.training.batch_size == 160
    assert [phase.epochs for phase in recipe.training.phases] == [16, 104]


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
