"""A recipe, run: data, system, trainer, and at the end a checkpoint with its card."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.files import replaced_when_complete
from polyglance.data.locking import only_writer
from polyglance.errors import ConfigError, TrainingError
from polyglance.memory import prefer_large_pages
from polyglance.training.recipe import Recipe, explain

if TYPE_CHECKING:
    from polyglance.data.record import Record
    from polyglance.data.text import Texts
    from polyglance.systems.base import System
    from polyglance.training.loop import Split
    from polyglance.training.ranks import Ranks
    from polyglance.training.sources import RunSources

RECIPE, MODEL, REPORT = "recipe.json", "model", "report.json"
WHERE = ("accelerator", "devices", "nodes", "chunk_size")
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
                _begin(recipe, folder, resume=resume)
            finished = _finished(folder)
        run = finished or _train(recipe, folder, ranks, show_progress=show_progress)
        return replace(run, rank=ranks.rank)


def _begin(recipe: Recipe, folder: Path, *, resume: bool) -> None:
    """Make the folder this run's own."""
    from polyglance.training.records import read_records

    if not resume:
        read_records(recipe)  # nothing is thrown away for a run whose data are not there
    with only_writer(folder, TrainingError):
        if not resume:
            discard(folder)
        claim(folder, recipe)


def _train(recipe: Recipe, folder: Path, ranks: Ranks, *, show_progress: bool) -> Run:
    """The part of this process in a run."""
    from polyglance.data.sampler import CaptionSampler
    from polyglance.training.grouping import group_similar
    from polyglance.training.loop import Trainer
    from polyglance.training.phases import BACKBONE, frozen_parts
    from polyglance.training.records import read_records, tell_shared
    from polyglance.training.sources import RunSources, feature_cache
    from polyglance.training.text_features import stored_texts
    from polyglance.training.texts import text_sources, translated_captions
    from polyglance.training.validation import Validator

    records = read_records(recipe)
    if ranks.is_first:
        tell_shared(records)
    beside = text_sources(recipe, records, rank=ranks.rank, world_size=ranks.world_size)
    translated = translated_captions(recipe, records["train"])
    drawn: Collection[str] = recipe.data.languages or _languages(records["train"])
    if translated is not None:
        drawn = translated.languages
    tags = sorted({*drawn, *beside.languages})
    if trained := sorted({*tags} & {*recipe.data.zero_shot}):
        raise ConfigError(
            f"data.zero_shot: {', '.join(trained)} is trained on; name data.languages without it"
        )
    sampler = CaptionSampler(
        records["train"],
        batch_size=recipe.training.batch_size,
        language_weights=recipe.data.languages,
        captions_per_picture=recipe.data.captions_per_picture,
        translated=translated,
        seed=recipe.training.seed,
        rank=ranks.rank,
        world_size=ranks.world_size,
    )
    validator = (
        Validator(records["validation"], languages=tags) if "validation" in records else None
    )
    read = {*recipe.data.vocabulary_languages, *(() if translated else drawn)}
    texts = [(tag, text) for r in records["train"] for tag, text in _texts(r, sorted(read))]
    texts += translated.texts() if translated else ()
    system = make_system(recipe, _by_language([*texts, *beside.texts()]))
    beside.check(system)
    sources = RunSources(
        system,
        records=records,
        features=recipe.data.features or feature_cache(),
        cache_features=recipe.training.cache_features,
        workers=recipe.data.workers,
        views=recipe.data.views,
        show_progress=show_progress and ranks.is_first,
    )
    if recipe.data.similar is not None:
        frozen = BACKBONE in frozen_parts(system, recipe.training.phases[0].frozen)
        with ranks.first_alone():
            source = sources("train", frozen)
        sampler.group_by(
            group_similar(source, pictures=len(records["train"]), size=recipe.data.similar)
        )
    trainer = Trainer(
        system,
        config=recipe.training,
        sampler=sampler,
        sources=sources,
        validator=validator,
        folder=folder,
        parallel=beside.parallel,
        monolingual=beside.monolingual,
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
        _export(system, recipe, folder, tags, records, sources)
    return Run(folder, at.step, at.best_step, at.best_recall, signal=outcome.signal)


def claim(folder: Path, recipe: Recipe) -> None:
    """Write the recipe into the folder, unless it has the checkpoint of another one.

    Raises:
        TrainingError: it is another one; the message names the keys that differ.
    """
    from polyglance.training.state import LAST

    path, wanted = folder / RECIPE, recipe.model_dump(mode="json")
    if path.exists() and (folder / LAST).exists():  # without a checkpoint there is nothing to lose
        try:
            present = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise TrainingError(f"{path}: damaged ({error}); start in a new folder") from None
        if differing := _differences(_what(present), _what(wanted)):
            raise TrainingError(
                f"{folder} has a run of another recipe (different: {', '.join(differing)}); "
                "choose another --output, or --no-resume to throw that run away"
            )
    with replaced_when_complete(path) as temporary:
        temporary.write_text(json.dumps(wanted, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _what(dumped: Any) -> Any:
    """A recipe's dump, without the keys that say where it runs and not what is trained.

    Keys that an older version did not know get their defaults.
    """
    try:
        whole = Recipe.model_validate(dumped).model_dump(mode="json")
    except ValueError:
        return dumped
    training = {key: some for key, some in whole["training"].items() if key not in WHERE}
    return {**whole, "training": training}


def discard(folder: Path) -> None:
    """Remove a run's own files, and nothing else, from its folder."""
    import shutil

    from polyglance.training.state import BEST, LAST

    for name in (RECIPE, REPORT, LAST, BEST, "log.jsonl"):
        (folder / name).unlink(missing_ok=True)
    for name in (MODEL, "tensorboard"):
        shutil.rmtree(folder / name, ignore_errors=True)


def make_system(recipe: Recipe, training_texts: Texts) -> System:
    """Build the recipe's system, or load the checkpoint that it goes on from.

    Raises:
        ConfigError: the ``[model]`` table is wrong.
        ModelError: the checkpoint is missing or damaged.
    """
    import torch

    if "checkpoint" in recipe.model:
        torch.manual_seed(recipe.training.seed)
        return _trained_system(**recipe.model)
    from polyglance.systems.builders import build_system

    config = check_model(recipe.model)
    torch.manual_seed(recipe.training.seed)
    return build_system(config, training_texts=training_texts)


def _trained_system(checkpoint: str, **changes: Any) -> System:
    """A checkpoint's system, with some keys of its configuration changed."""
    from polyglance.systems.checkpoint import UNTRAINED, load_changed, read_config
    from polyglance.systems.config import HubDualEncoderConfig
    from polyglance.systems.locate import locate

    folder = locate(checkpoint)
    config = check_model({**read_config(folder)["model"], **changes})
    if isinstance(config, HubDualEncoderConfig):
        raise ConfigError(f"model.checkpoint: {UNTRAINED}")
    loaded = load_changed(folder, config)
    for what, names in (("starts anew", loaded.fresh), ("is left behind", loaded.unused)):
        if names:
            told = ", ".join(sorted({name.rsplit(".", 1)[0] for name in names}))
            print(f"{checkpoint}: {what}: {told}", file=sys.stderr)
    return loaded.system


def check_model(table: Mapping[str, Any]) -> Any:
    """A ``[model]`` table as a system's configuration.

    Raises:
        ConfigError: a key is unknown or a value is wrong.
    """
    from pydantic import TypeAdapter, ValidationError

    from polyglance.systems.config import SystemConfig

    try:
        return TypeAdapter[Any](SystemConfig).validate_python(table)
    except ValidationError as error:
        raise ConfigError(explain(error, "model")) from None


def _finished(folder: Path) -> Run | None:
    from polyglance.training.state import LAST

    if not ((folder / LAST).exists() and (folder / MODEL).exists()):
        return None
    from polyglance.training.checkpoint import read_progress

    at = read_progress(folder / LAST)["run"]
    if not at["finished"]:
        return None
    return Run(folder, at["step"], at["best_step"], at["best_recall"], was_finished=True)


def _export(
    system: System,
    recipe: Recipe,
    folder: Path,
    languages: Sequence[str],
    records: Mapping[Split, Sequence[Record]],
    sources: RunSources,
) -> None:
    """The system as a checkpoint, measured once more with intervals for its card."""
    from polyglance.systems.checkpoint import save_system
    from polyglance.training.card import model_card
    from polyglance.training.validation import Validator

    report = None
    if "validation" in records:
        measured = [*languages, *recipe.data.zero_shot]
        report = Validator(records["validation"], languages=measured).measure(
            system, sources("validation", _ends_frozen(recipe)), draws=INTERVAL_DRAWS
        )
        report.save(folder / REPORT)
    system.to("cpu").eval()
    card = model_card(recipe, languages, report)
    save_system(system, folder / MODEL, languages=languages, card=card)


def _ends_frozen(recipe: Recipe) -> bool:
    """Whether the last phase, and so its store of features, had a frozen backbone."""
    from polyglance.training.phases import BACKBONE

    return any(f"{BACKBONE}.".startswith(f"{n}.") for n in recipe.training.phases[-1].frozen)


def _differences(first: Any, second: Any, path: str = "") -> list[str]:
    """Dotted keys at which two JSON values differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        keys = sorted(first.keys() | second.keys())
        return [
            found
            for key in keys
            for found in _differences(first.get(key), second.get(key), f"{path}.{key}".lstrip("."))
        ]
    return [] if first == second else [path]


def _languages(records: Sequence[Record]) -> set[str]:
    return {tag for record in records for tag, captions in record.captions.items() if captions}


def _texts(record: Record, tags: Sequence[str]) -> list[tuple[str, str]]:
    return [(tag, text) for tag in tags for text in record.captions.get(tag, ())]


def _by_language(texts: Iterable[tuple[str, str]]) -> Texts:
    found: dict[str, list[str]] = {}
    for tag, text in texts:
        found.setdefault(tag, []).append(text)
    return found
