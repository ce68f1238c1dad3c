"""Adapting a trained system to more pictures: the heads learn, what is pretrained stays."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyglance.data.sampler import CaptionSampler
from polyglance.errors import TrainingError
from polyglance.training.loop import Trainer
from polyglance.training.recipe import PhaseConfig, TrainingConfig
from polyglance.training.schedules import CosineSchedule
from polyglance.training.sources import RunSources, feature_cache
from polyglance.training.validation import Validator

if TYPE_CHECKING:
    from polyglance.data.record import Record
    from polyglance.systems.base import System

PRETRAINED = ("image.backbone", "text.encoder")


def adapt(
    system: System,
    records: Sequence[Record],
    *,
    languages: Sequence[str] | Mapping[str, float] | None = None,
    validation: Sequence[Record] = (),
    frozen: Sequence[str] = PRETRAINED,
    steps: int = 300,
    batch_size: int = 256,
    captions_per_picture: int = 1,
    learning_rate: float = 5e-4,
    weight_decay: float = 0.05,
    seed: int = 0,
    folder: Path | None = None,
    show_progress: bool = True,
) -> System:
    """Train the heads of a system on captioned pictures, with its towers frozen.

    Features of the pictures come from the store in the user's cache, so that a second adaptation
    of the same pictures takes only the steps. The same can be had with a recipe whose
    ``[model]`` table says ``checkpoint = "mini"``.

    Args:
        system: trained in place.
        records: captioned pictures.
        languages: BCP-47 tags to train on, with weights if they are a mapping; ``None``: all.
        validation: held-back pictures; with them the best weights are kept, not the last.
        frozen: parts that stay as they are; names that the system does not have are ignored.
        steps: of the optimiser.
        batch_size: pictures a step.
        captions_per_picture: drawn for each picture of a batch.
        learning_rate: highest; warmed up over a tenth of the steps, then along a cosine.
        weight_decay: on matrices; keeps the heads near what they were.
        seed: of batches and dropout.
        folder: for log and checkpoints, from which an interrupted adaptation goes on; ``None``:
            a temporary one.
        show_progress: on standard error.

    Returns:
        The same system, in evaluation mode.

    Raises:
        TrainingError: it was stopped by a signal.
        ConfigError: no picture has a caption in the languages.
        PictureError: not one picture can be read.
    """
    weights = languages if isinstance(languages, Mapping) else None
    if languages is not None and weights is None:
        weights = dict.fromkeys(languages, 1.0)
    config = TrainingConfig(
        phases=(
            PhaseConfig(
                steps=steps,
                frozen=tuple(part for part in frozen if part in system.parts()),
                optimizer="adamw",
                learning_rate=learning_rate,
                weight_decay=weight_decay,
                schedule=CosineSchedule(warmup_steps=steps // 10),
            ),
        ),
        batch_size=batch_size,
        seed=seed,
        clip_gradients=1.0,
        evaluate_every=max(1, steps // 5),
    )
    sampler = CaptionSampler(
        records,
        batch_size=batch_size,
        language_weights=weights,
        captions_per_picture=captions_per_picture,
        seed=seed,
    )
    tags = sorted(weights or {tag for record in records for tag in record.captions})
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        sources = RunSources(
            system,
            records={"train": records, "validation": validation},
            features=feature_cache(),
            show_progress=show_progress,
        )
        trainer = Trainer(
            system,
            config=config,
            sampler=sampler,
            sources=sources,
            validator=Validator(validation, languages=tags) if validation else None,
            folder=place,
            show_progress=show_progress,
        )
        if trainer.fit().signal is not None:
            raise TrainingError(
                "the adaptation was stopped"
                + (f"; the same command goes on from {folder}" if folder else "")
            )
        trainer.load_best()
    return system.eval()
