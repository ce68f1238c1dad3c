"""Paper 2's tables on Flickr8k, at a size that two processors train.

`python recipes/paper_2.py` runs every setting through `paper-2.toml` with overrides, goes on where
it was stopped, keeps what each run came to in `docs/results/paper-2.jsonl`, and writes
`docs/results/paper-2.md` from that file alone. Needs POLYGLANCE_FLICKR8K and
POLYGLANCE_MULTI30K_TEXT, and the towers `resnet50` and `sentence-encoder`.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ledger import Ledger, Logged
from paper_2_page import write_page

BASE = Path(__file__).parent / "paper-2.toml"
LEDGER = Path("docs/results/paper-2.jsonl")
PAGE = Path("docs/results/paper-2.md")

LEARNED = "{kind = 'learned'}"
LIWE = "{kind = 'characters'}"
# Layers over characters learn best more slowly, and without dropout behind them.
GENTLY = ("model.text.dropout=0.0", "training.phases.0.learning_rate=2.5e-3")
SMALL_LIWE = "{kind = 'characters', widths = [256, 256]}"
VECTORS = "{kind = 'joined', parts = [{kind = 'characters'}, {kind = 'sentence'}]}"
FROZEN = "{kind = 'sentence'}"
ANNEALED = "{kind = 'annealed_hinges'}"
LOSSES = {
    "annealed": ANNEALED,
    "sum": "{kind = 'sum_of_hinges'}",
    "max": "{kind = 'max_of_hinges'}",
}
NON_LOCAL = ("paper", "residual", "linear", "without-reduction")  # `none` is CLMR among the losses
LANGUAGES = ("ar", "cs", "de", "en", "fr", "pt", "zh")
DIMENSION, DROPOUT = 512, 0.3  # those of the base recipe
PARALLEL = "data.parallel={{train = {{{files}}}, pivot = 'en', batch_size = 64}}"


@dataclass(frozen=True, slots=True)
class Setting:
    """One run.

    Attributes:
        table: that it belongs to.
        name: of its row.
        seed: of initialisation, batches and dropout.
        overrides: of the base recipe.
    """

    table: str
    name: str
    seed: int
    overrides: tuple[str, ...]


def clmr(words: str, *more: str) -> tuple[str, ...]:
    """Overrides for CLMR over these words."""
    gently = GENTLY if words in (LIWE, SMALL_LIWE) else ()
    return (f"model.text.words={words}", *gently, *more)


def beside(system: str, text: str, *more: str) -> tuple[str, ...]:
    """Overrides for a system that is not CLMR, of the same size and with the same loss."""
    size = f"dimension = {DIMENSION}, loss = {ANNEALED}"
    text = f"{{kind = 'recurrent', words = {LEARNED}, dropout = {DROPOUT}{text}}}"
    return (f"model={{system = '{system}', {size}, text = {text}{''.join(more)}}}",)


SYSTEMS: dict[str, tuple[str, ...]] = {
    "VSE++": beside("vsepp", ", bidirectional = false"),
    "SCAN t2i": (
        *beside("scan", "", f", image_dropout = {DROPOUT}"),
        "training.evaluate_every=1000",  # comparing every word with every region takes its time
    ),
    "CLMR": clmr(LEARNED),
    "LIWE": clmr(LIWE),
    "LIWE + vectors": clmr(VECTORS),
}


def settings(seeds: int) -> Iterator[Setting]:
    """All runs; seeds go round first, so that an interrupted evening has whole tables."""
    for seed in range(seeds):
        for language in ("en", "de", "zh"):
            for name, overrides in SYSTEMS.items():
                yield Setting(f"single-{language}", name, seed, (*overrides, _only(language)))
        for name, overrides in _co_training():
            yield Setting("co-training", name, seed, overrides)
        for name, overrides in _losses():
            yield Setting("losses", name, seed, overrides)
        for form in NON_LOCAL:
            overrides = clmr(LEARNED, f"model.non_local='{form}'", HALF)
            yield Setting("non-local", form, seed, overrides)
        unit = clmr(LEARNED, "model.normalise_regions=true", HALF)
        yield Setting("non-local", "unit regions", seed, unit)
        for name, steps in LONGER.items():
            phase = f"training.phases.0.steps={steps}"
            yield Setting("longer", name, seed, (*SYSTEMS[name], phase))
    for name, steps in ONCE_LONGER.items():
        phase = f"training.phases.0.steps={steps}"
        yield Setting("longer", name, 0, (*SYSTEMS[name], phase))


def _only(*languages: str) -> str:
    return f"data.languages={{{', '.join(f'{tag} = 1.0' for tag in languages)}}}"


def _translations(*languages: str) -> str:
    folder = "${POLYGLANCE_MULTI30K_TEXT}"
    files = ", ".join(f"{tag} = '{folder}/train.{tag}.txt'" for tag in ("en", *languages))
    return PARALLEL.format(files=files)


def _co_training() -> Iterator[tuple[str, tuple[str, ...]]]:
    """English and German by translations, by captions and by both; then all languages."""
    text = _translations("de")
    for name, words in {"CLMR": LEARNED, "LIWE": LIWE, "frozen words": FROZEN}.items():
        yield f"{name}: en captions, en–de text", clmr(words, text)
    yield "LIWE: en and de captions", clmr(LIWE, _only("en", "de"))
    yield "LIWE: en and de captions, en–de text", clmr(LIWE, _only("en", "de"), text)
    for name, words in {"CLMR": LEARNED, "LIWE": LIWE}.items():
        yield f"{name}: all captions", clmr(words, _only(*LANGUAGES), *FOR_ALL)


def _losses() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Both models of the paper's table."""
    for system, words in (("CLMR", LEARNED), ("LIWE (256, 256)", SMALL_LIWE)):
        for loss, table in LOSSES.items():
            yield f"{system}, {loss}", clmr(words, f"model.loss={table}", HALF)


HALF = "training.phases.0.steps=500"  # of ablations
# Seven languages share the captions that are drawn.
FOR_ALL = ("training.phases.0.steps=2000", "training.evaluate_every=500")
LONGER = {"VSE++": 1800, "CLMR": 2000}
ONCE_LONGER = {"LIWE": 2000, "SCAN t2i": 2000}  # one seed


def run(setting: Setting, output: Path) -> Logged:
    """Train one setting, or go on with it."""
    import torch

    from polyglance.training.recipe import load_recipe
    from polyglance.training.run import train

    torch.set_num_threads(1)  # matrices this small are faster on one; the runs share the rest
    folder = output / f"{setting.table}-{setting.name}-{setting.seed}".replace("/", "-")
    recipe = load_recipe(BASE, overrides(setting))
    done = train(recipe, folder, show_progress=False)
    if done.signal is not None:
        raise KeyboardInterrupt
    assert done.best_step is not None  # noqa: S101 -- the recipe has validation pictures
    logged = read(setting, folder, done.best_step, batch_size=recipe.training.batch_size)
    shutil.rmtree(folder)
    return logged


def overrides(setting: Setting) -> list[str]:
    """Of the base recipe, the name and the seed among them."""
    name = "".join(c if c.isalnum() else "-" for c in f"{setting.table}-{setting.name}")
    return [f"name=paper-2-{name}", f"training.seed={setting.seed}", *setting.overrides]


def described(setting: Setting) -> dict[str, Any]:
    """The setting's recipe as the ledger keeps it: as written, without anybody's folders."""
    import tomllib

    from polyglance.training.recipe import apply_override

    table = tomllib.loads(BASE.read_text(encoding="utf-8"))
    for override in overrides(setting):
        apply_override(table, override)
    return table


def read(setting: Setting, folder: Path, best_step: int, *, batch_size: int) -> Logged:
    """What a finished run left behind, as the ledger keeps it."""
    import json

    from polyglance.systems.checkpoint import load_checkpoint
    from polyglance.training.log import read_log

    lines = read_log(folder / "log.jsonl")
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    steps = [line for line in lines if line["event"] == "step"]
    measured = [line for line in lines if line["event"] == "evaluation"]
    system = load_checkpoint(folder / "model").system
    recipe = described(setting)
    return Logged(
        table=setting.table,
        name=setting.name,
        seed=setting.seed,
        recipe=recipe,
        best_step=best_step,
        languages=report["languages"],
        curve=[
            (line["step"], {tag: round(of["rsum"], 2) for tag, of in line["languages"].items()})
            for line in measured
        ],
        losses=[(line["step"], round(line["loss"], 2)) for line in steps],
        warnings=sum(line["event"] == "warning" for line in lines),
        seconds=training_seconds(lines),
        pairs=steps[-1]["step"] * batch_size * recipe["data"].get("captions_per_picture", 1),
        parameters={
            name: sum(parameter.numel() for parameter in part.parameters())
            for name, part in parts_of(system).items()
        },
        regions=look_at_regions(system),
    )


def look_at_regions(system: Any) -> dict[str, float]:
    """`region_look.look` over some validation pictures, for systems that have regions."""
    import os

    from polyglance.data.manifest import read_manifest
    from polyglance.training.sources import RunSources, feature_cache
    from polyglance.vision.region_encoder import RegionEncoder
    from region_look import look

    if not isinstance(system.image, RegionEncoder):
        return {}
    records = read_manifest(Path(os.environ["POLYGLANCE_FLICKR8K"]) / "val.jsonl")[:200]
    sources = RunSources(
        system, records={"validation": records}, features=feature_cache(), show_progress=False
    )
    return look(system.image, sources("validation", True).load(range(len(records))).images)


def parts_of(system: Any) -> dict[str, Any]:
    """The learned parts whose sizes the page tells."""
    text = system.text
    return {"words": text.words, "gru": text.gru, "image": system.image.learned()}


def training_seconds(lines: Sequence[dict[str, Any]]) -> float:
    """Between start and end, without the pauses before a run was resumed."""
    times = [float(line["time"]) for line in lines if line["event"] != "resume"]
    return round(sum(min(after - before, 120.0) for before, after in pairwise(times)), 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/paper-2"), help="of unfinished")
    parser.add_argument("--ledger", type=Path, default=LEDGER, help="of finished runs")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="runs at once")
    parser.add_argument("--table", action="append", help="only this one; may be given again")
    parser.add_argument("--name", action="append", help="only this row; may be given again")
    parser.add_argument("--write-only", action="store_true", help="the page, without training")
    given = parser.parse_args(arguments)
    ledger = Ledger(given.ledger)
    if not given.write_only:
        train_all(ledger, given)
    write_page(ledger, given.page, wanted=len(list(settings(given.seeds))))


def train_all(ledger: Ledger, given: argparse.Namespace) -> None:
    """Run what the ledger lacks."""
    wanted = [
        setting
        for setting in settings(given.seeds)
        if (given.table is None or setting.table in given.table)
        and (given.name is None or setting.name in given.name)
        and not ledger.has((setting.table, setting.name, setting.seed), described(setting))
    ]
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(run, one, given.output) for one in wanted]):
            logged = future.result()
            ledger.add(logged)
            told = ", ".join(f"{tag} {logged.rsum(tag):.1f}" for tag in sorted(logged.languages))
            print(f"{logged.table}, {logged.name}, seed {logged.seed}: {told}", flush=True)


if __name__ == "__main__":
    main()
