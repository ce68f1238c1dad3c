"""Runs every setting of a results page once, two at a time, and keeps what came of each.

A page's own file, `paper_2.py` for one, names its settings as overrides of one base recipe; this
one trains what the ledger lacks, goes on where it was stopped, and has the page written.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import threading
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ledger import Ledger, Logged

SECONDS_TO_STOP = 15  # enough for a step and a checkpoint
LONGEST_STEP = 120.0  # seconds; a longer pause between two lines of a log was no training


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


class Runs(Protocol):
    """What the command of a page asks of its experiment."""

    @property
    def name(self) -> str:
        """Of the page."""

    @property
    def kind(self) -> type[Any]:
        """Of what a run leaves in the ledger."""

    def described(self, setting: Setting) -> dict[str, Any]:
        """A setting's recipe as the ledger keeps it."""

    def run(self, setting: Setting, output: Path) -> Any:
        """Train one setting in a folder below ``output``, or go on with it."""


def nothing_more(_setting: Setting, _model: Path) -> dict[str, float]:
    """What an experiment examines that does not say."""
    return {}


@dataclass(frozen=True, slots=True)
class Experiment:
    """What all settings of a page share.

    Attributes:
        name: that its runs' names begin with.
        base: the recipe that settings override.
        parts: of a trained system, whose learned numbers are counted, by name.
        look: at the regions of a trained system, in a few numbers.
        examine: a setting's checkpoint, in a few more numbers.
        kept: (table, name, seed) → where the checkpoint of that setting stays; of all others
            nothing does but what the ledger keeps.
    """

    name: str
    base: Path
    parts: Callable[[Any], dict[str, Any]]
    look: Callable[[Any], dict[str, float]]
    examine: Callable[[Setting, Path], dict[str, float]] = nothing_more
    kept: Mapping[tuple[str, str, int], Path] = field(default_factory=dict)
    kind: ClassVar[type[Any]] = Logged

    def overrides(self, setting: Setting) -> list[str]:
        """Of the base recipe, the name and the seed among them."""
        row = "".join(c if c.isalnum() else "-" for c in f"{setting.table}-{setting.name}")
        named = f"name={self.name}-{row}"
        return [named, f"training.seed={setting.seed}", *setting.overrides]

    def described(self, setting: Setting) -> dict[str, Any]:
        """The setting's recipe as the ledger keeps it: as written, without anybody's folders."""
        return as_written(self.base, self.overrides(setting))

    def run(self, setting: Setting, output: Path) -> Logged:
        """Train one setting in a folder of its own, or go on with it."""
        import torch

        from polyglance.training.recipe import load_recipe
        from polyglance.training.run import train

        torch.set_num_threads(1)  # matrices this small are faster on one; the runs share the rest
        folder = output / f"{setting.table}-{setting.name}-{setting.seed}".replace("/", "-")
        recipe = load_recipe(self.base, self.overrides(setting))
        done = train(recipe, folder, show_progress=False)
        if done.signal is not None:
            raise KeyboardInterrupt
        assert done.best_step is not None  # noqa: S101 -- the recipe has validation pictures
        logged = self._read(setting, folder, done.best_step, recipe.training.batch_size)
        self._keep(setting, folder / "model")
        shutil.rmtree(folder)
        return logged

    def _read(self, setting: Setting, folder: Path, best_step: int, batch_size: int) -> Logged:
        """What a finished run left behind, as the ledger keeps it."""
        from polyglance.systems.checkpoint import load_checkpoint
        from polyglance.training.log import read_log

        lines = read_log(folder / "log.jsonl")
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        steps = [line for line in lines if line["event"] == "step"]
        measured = [line for line in lines if line["event"] == "evaluation"]
        system = load_checkpoint(folder / "model").system
        recipe = self.described(setting)
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
                for name, part in self.parts(system).items()
            },
            regions=self.look(system) | self.examine(setting, folder / "model"),
        )

    def _keep(self, setting: Setting, model: Path) -> None:
        """Copy the checkpoint, if it is to stay; a run that stops here still has its own."""
        place = self.kept.get((setting.table, setting.name, setting.seed))
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(model, place)


def as_written(base: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """A recipe's table with overrides, its variables as they are written."""
    from polyglance.training.recipe import apply_override

    table = tomllib.loads(base.read_text(encoding="utf-8"))
    for override in overrides:
        apply_override(table, override)
    return table


def training_seconds(lines: Sequence[dict[str, Any]]) -> float:
    """Between start and end, without the pauses before a run was resumed."""
    times = [float(line["time"]) for line in lines if line["event"] != "resume"]
    return round(sum(min(after - before, LONGEST_STEP) for before, after in pairwise(times)), 1)


def main(
    experiment: Runs,
    settings: Callable[[int], Sequence[Setting]],
    write_page: Callable[[Ledger, Path, int], None],
    arguments: Sequence[str] | None = None,
) -> None:
    """The command of a page: run what is missing and write it.

    Args:
        experiment: what the settings share.
        settings: all of them, for so many seeds.
        write_page: from the ledger, to a path, with how many runs there are to be.
        arguments: of the command line.
    """
    parser = argparse.ArgumentParser(description=f"the runs of {experiment.name} and their page")
    results = Path("docs/results")
    parser.add_argument("--output", type=Path, default=Path("runs") / experiment.name)
    parser.add_argument("--ledger", type=Path, default=results / f"{experiment.name}.jsonl")
    parser.add_argument("--page", type=Path, default=results / f"{experiment.name}.md")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="runs at once")
    parser.add_argument("--table", action="append", help="only this one; may be given again")
    parser.add_argument("--name", action="append", help="only this row; may be given again")
    parser.add_argument("--write-only", action="store_true", help="the page, without training")
    given = parser.parse_args(arguments)
    ledger = Ledger(given.ledger, experiment.kind)
    wanted = settings(given.seeds)
    if not given.write_only:
        asked = [
            setting
            for setting in wanted
            if (given.table is None or setting.table in given.table)
            and (given.name is None or setting.name in given.name)
        ]
        _train_all(experiment, ledger, asked, output=given.output, jobs=given.jobs)
    write_page(ledger, given.page, len(wanted))


def _train_all(
    experiment: Runs, ledger: Ledger, asked: Sequence[Setting], *, output: Path, jobs: int
) -> None:
    """Run what the ledger lacks."""
    missing = [
        setting
        for setting in asked
        if not ledger.has(
            (setting.table, setting.name, setting.seed), experiment.described(setting)
        )
    ]
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_stop_with, initargs=(os.getpid(),)
    ) as pool:
        for future in as_completed([pool.submit(experiment.run, one, output) for one in missing]):
            if future.exception() is not None:  # what failed once would fail in all other runs too
                pool.shutdown(wait=False, cancel_futures=True)
            logged = future.result()
            ledger.add(logged)
            told = ", ".join(f"{tag} {logged.rsum(tag):.1f}" for tag in sorted(logged.languages))
            print(f"{logged.table}, {logged.name}, seed {logged.seed}: {told}", flush=True)


def _stop_with(parent: int) -> None:
    """Let a worker stop, after its step and with a checkpoint, when its parent is gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        while True:  # a pool's worker goes on with the next run, until it has none
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(SECONDS_TO_STOP)

    threading.Thread(target=watch, daemon=True).start()
