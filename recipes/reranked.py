"""One model of paper 1 and what it comes to: aligned, pretrained, fine-tuned, and set to rerank.

A run has several stages, each a recipe that goes on from the model of the one before, in a folder
of its own, and gone on with where it was stopped; stages that runs have in common are trained once.
So is the first stage of retrieval, which finds what is to be reranked, for all runs of a seed.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from experiments import Setting, as_written, training_seconds

TOP = 64


@dataclass(frozen=True, slots=True)
class Reranked:
    """One finished run.

    Attributes:
        table: that it belongs to.
        name: of its row.
        seed: of all parts.
        recipe: part → everything that decided it, without the places of files.
        report: of the order by the second stage alone, within the lists; the first stage alone and
            the number of passes are in it.
        both: tag → metrics of the order by both stages' scores.
        weights: of the first stage's scores there, for each half of the pictures chosen on the
            other half.
        curves: pretraining task → (step, loss), thinned.
        seconds: part → of training, and of scoring all pairs.
    """

    table: str
    name: str
    seed: int
    recipe: dict[str, Any]
    report: dict[str, Any]
    both: dict[str, Any]
    weights: tuple[float, float]
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells it from other runs."""
        return self.table, self.name, self.seed

    @property
    def languages(self) -> dict[str, Any]:
        """BCP-47 tag → metrics of the order by both scores."""
        return self.both

    @property
    def alone(self) -> dict[str, Any]:
        """BCP-47 tag → metrics of the order by the second stage alone."""
        found: dict[str, Any] = self.report["languages"]
        return found

    @property
    def first(self) -> dict[str, Any]:
        """BCP-47 tag → metrics of the first stage."""
        found: dict[str, Any] = self.report["reranking"]["first_stage"]["languages"]
        return found

    def rsum(self, language: str) -> float:
        """Sum of the six recalls in a language, by both scores."""
        return float(self.languages[language]["rsum"])


@dataclass(frozen=True, slots=True)
class Rerankings:
    """What all runs of paper 1 share.

    Attributes:
        name: of the page.
        first: recipe of the first stage, and what it overrides.
        stages: name → recipe, in the order in which they are run; a setting's overrides begin with
            the stage that they are of, as in ``pretraining/model.tasks.tlm=0.0``.
        languages: row → those that are measured; each costs a few hundred thousand passes.
    """

    name: str
    first: tuple[Path, tuple[str, ...]]
    stages: Mapping[str, Path]
    languages: Mapping[str, Sequence[str]]
    kind: ClassVar[type[Any]] = Reranked

    def described(self, setting: Setting) -> dict[str, Any]:
        """All recipes of a setting as the ledger keeps them."""
        return {
            part: as_written(base, overrides)
            for part, (base, overrides) in self._parts(setting).items()
        }

    def run(self, setting: Setting, output: Path) -> Reranked:
        """Train and measure one setting, or go on with it."""
        import torch

        from polyglance.data.locking import in_turn
        from polyglance.errors import TrainingError

        torch.set_num_threads(1)  # as in experiments.py
        parts = self._parts(setting)
        folders = self._folders(parts, output)
        with suppress(TrainingError):  # another run of this seed is at it
            _trained(*parts["first"], folders["first"])
        begin: tuple[str, ...] = ()  # the very first stage makes its model
        for stage in self.stages:
            base, overrides = parts[stage]
            with in_turn(folders[stage], TrainingError):
                model = _trained(base, (*overrides, *begin), folders[stage])
            begin = (f"model.checkpoint={model}",)
        with in_turn(folders["first"], TrainingError):
            first = _trained(*parts["first"], folders["first"])
        logged = self._measured(setting, first, model, folders)
        shutil.rmtree(folders[stage])  # the last; those before it may serve other rows
        return logged

    def _parts(self, setting: Setting) -> dict[str, tuple[Path, list[str]]]:
        """Part → its recipe and overrides; where a checkpoint lies is told when it is there."""
        seed = f"training.seed={setting.seed}"
        base, overrides = self.first
        own = [override.split("/", 1) for override in setting.overrides]
        return {
            "first": (base, [f"name={self.name}-first", seed, *overrides]),
            **{
                stage: (recipe, [seed, *(said for of, said in own if of == stage)])
                for stage, recipe in self.stages.items()
            },
        }

    def _folders(
        self, parts: Mapping[str, tuple[Path, list[str]]], output: Path
    ) -> dict[str, Path]:
        """Part → its folder; stages that begin alike are the same ones."""
        folders, so_far = {}, ""
        for part, (_, overrides) in parts.items():
            written = "\n".join(overrides)
            so_far = written if part == "first" else f"{so_far}\n{part}\n{written}"
            folders[part] = output / f"{part}-{sha256(so_far.encode()).hexdigest()[:12]}"
        return folders

    def _measured(
        self, setting: Setting, first: Path, second: Path, folders: dict[str, Path]
    ) -> Reranked:
        from polyglance import Reranker, Retriever
        from polyglance.data.manifest import read_manifest
        from polyglance.evaluation.reranking import two_stages
        from polyglance.training.log import read_log

        logs = {part: read_log(folder / "log.jsonl") for part, folder in folders.items()}
        seconds = {part: training_seconds(lines) for part, lines in logs.items()}
        finder, judge = Retriever.load(first), Reranker.load(second)
        started = time.monotonic()
        stages = two_stages(
            finder,
            judge,
            read_manifest(Path(os.environ["POLYGLANCE_FLICKR8K"]) / "val.jsonl"),
            top=TOP,
            languages=self.languages[setting.name],
            features=_kept(finder),
            reranker_features=_kept(judge.encoder),
        )
        seconds["scoring"] = round(time.monotonic() - started, 1)
        crossed = stages.cross_weighted()
        return Reranked(
            table=setting.table,
            name=setting.name,
            seed=setting.seed,
            recipe=self.described(setting),
            report=_portable(stages.report().as_dict()),
            both=crossed.report.as_dict()["languages"],
            weights=crossed.weights,
            curves=_curves(logs["pretraining"]),
            seconds=seconds,
        )


def _trained(base: Path, overrides: Sequence[str], folder: Path) -> Path:
    """A recipe, trained to its end: the folder of the model."""
    from polyglance.training.recipe import load_recipe
    from polyglance.training.run import train

    done = train(load_recipe(base, overrides), folder, show_progress=False)
    if done.signal is not None:
        raise KeyboardInterrupt
    return folder.absolute() / "model"


def _kept(encoder: Any) -> Any:
    """The features of a model's backbone that training has left in the user's cache."""
    from polyglance.systems.stored_features import open_features
    from polyglance.training.sources import feature_cache

    fingerprint = encoder.system.backbone_fingerprint()
    return open_features(encoder.system, feature_cache() / fingerprint[:16])


def _curves(log: Sequence[dict[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    tasks = ("mlm", "text_mlm", "tlm", "mrc", "cmtr", "cltr")
    steps = [line for line in log if line["event"] == "step"]
    return {
        task: [(line["step"], round(line[task], 4)) for line in steps]
        for task in tasks
        if steps and task in steps[0]
    }


def _portable(report: dict[str, Any]) -> dict[str, Any]:
    """Without the names of folders, which say nothing elsewhere."""
    for part in (report, report["reranking"], report["reranking"]["first_stage"]):
        part["model"]["name"] = ""
    for part in (report, report["reranking"]["first_stage"]):
        part["manifest"] = Path(part["manifest"]).name
    return report
