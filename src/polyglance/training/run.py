"""A recipe, run: data, system, trainer, and at the end a checkpoint with its card."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from polyglance.memory import prefer_large_pages
from polyglance.training.folder import MODEL, REPORT, begin, finished
from polyglance.training.recipe import Recipe

if TYPE_CHECKING:
    from polyglance.systems.base import System
    from polyglance.training.material import Material
    from polyglance.training.ranks import Ranks
    from polyglance.training.sources import RunSources

INTERVAL_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a recipe.

    Attributes:
        folder: of the run.
        step: reached.
        best_step: whose weights the checkpoint has; ``None`` without validation.
        best_recall: mean recall there, percent.
        signal: that stopped it; ``None`` for a finished run.
        was_finished: whether nothing was left to do.
        rank: of this process; the first one, 0, is the one to speak.
    """

    folder: Path
    step: int
    best_step: int | None
    best_recall: float | None
    signal: int | None = None
    was_finished: bool = False
    rank: int = 0


def train(recipe: Recipe, folder: Path, *, resume: bool = True, show_progress: bool = True) -> Run:
    """Train by a recipe in a folder, or go on there; the model comes to lie in ``folder/model``.

    Where the recipe names several devices, this program is started again for each of them.

    Args:
        recipe: what to train.
        folder: of the run; all processes must reach it.
        resume: go on with the run in the folder, instead of throwing it away.
        show_progress: on standard error.

    Raises:
        TrainingError: the folder has a run of another recipe, the loss is no longer finite, or
            another process of the run has failed.
        ConfigError: recipe and data do not fit together, or the devices are not there.
    """
    from polyglance.training.ranks import Ranks

    prefer_large_pages()
    ranks = Ranks(recipe.training)
    with ranks.together():
        with ranks.first_alone():
            if ranks.is_first:
                begin(folder, recipe, resume=resume)
            before = finished(folder)
        if before is not None:
            return Run(folder, **before, was_finished=True, rank=ranks.rank)
        run = _train(recipe, folder, ranks, show_progress=show_progress)
        return replace(run, rank=ranks.rank)


def _train(recipe: Recipe, folder: Path, ranks: Ranks, *, show_progress: bool) -> Run:
    """The part of this process in a run."""
    from polyglance.training.grouping import group_similar
    from polyglance.training.loop import Trainer
    from polyglance.training.material import read_material
    from polyglance.training.sources import RunSources, feature_cache
    from polyglance.training.system import make_system
    from polyglance.training.text_features import stored_texts

    material = read_material(recipe, ranks)
    sampler, validator = material.sampler(recipe, ranks), material.validator()
    system = make_system(recipe, material.texts(recipe))
    material.beside.check(system)
    sources = RunSources(
        system,
        records=material.records,
        features=recipe.data.features or feature_cache(),
        cache_features=recipe.training.cache_features,
        workers=recipe.data.workers,
        views=recipe.data.views,
        show_progress=show_progress and ranks.is_first,
    )
    if (size := recipe.data.similar) is not None:
        with ranks.first_alone():
            source = sources("train", _begins_frozen(system, recipe))
        pictures = len(material.records["train"])
        sampler.group_by(group_similar(source, pictures=pictures, size=size))
    trainer = Trainer(
        system,
        config=recipe.training,
        sampler=sampler,
        sources=sources,
        validator=validator,
        folder=folder,
        parallel=material.beside.parallel,
        monolingual=material.beside.monolingual,
        ranks=ranks,
        show_progress=show_progress,
    )
    with stored_texts(system, feature_cache()) if recipe.training.cache_features else nullcontext():
        outcome = trainer.fit()
    ranks.part()
    sources.tell_skipped()
    at = outcome.progress
    if at.finished and ranks.is_first:
        trainer.load_best()
        system.to(ranks.device)  # to be measured once more
        _export(system, recipe, folder, material, sources)
    return Run(folder, at.step, at.best_step, at.best_recall, signal=outcome.signal)


def _export(
    system: System, recipe: Recipe, folder: Path, material: Material, sources: RunSources
) -> None:
    """The system as a checkpoint, measured once more with intervals for its card."""
    from polyglance.systems.checkpoint import save_system
    from polyglance.training.card import model_card

    report = None
    if validator := material.validator(*recipe.data.zero_shot):
        source = sources("validation", _ends_frozen(recipe))
        report = validator.measure(system, source, draws=INTERVAL_DRAWS)
        report.save(folder / REPORT)
    system.to("cpu").eval()
    languages = material.languages
    card = model_card(recipe, languages, report)
    save_system(system, folder / MODEL, languages=languages, card=card)


def _begins_frozen(system: System, recipe: Recipe) -> bool:
    """Whether the backbone learns nothing in the first phase."""
    from polyglance.training.phases import BACKBONE, frozen_parts

    return BACKBONE in frozen_parts(system, recipe.training.phases[0].frozen)


def _ends_frozen(recipe: Recipe) -> bool:
    """Whether the last phase, and so its store of features, had a frozen backbone."""
    from polyglance.training.phases import BACKBONE

    return any(f"{BACKBONE}.".startswith(f"{n}.") for n in recipe.training.phases[-1].frozen)
