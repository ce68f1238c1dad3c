"""Pretraining through the loop: three sources in a step, and what is hidden after a resumption."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from tests.training.tiny import tiny_config

from polyglance.data.dataset import TensorSource
from polyglance.data.monolingual import MonolingualSampler
from polyglance.data.parallel import ParallelSampler
from polyglance.data.record import Record
from polyglance.data.sampler import CaptionSampler
from polyglance.errors import ConfigError
from polyglance.pretraining.tasks import TASKS
from polyglance.systems.base import System
from polyglance.systems.builders import build_system
from polyglance.systems.config import (
    FeiConfig,
    PrecomputedConfig,
    SingleStreamConfig,
    TokenizerConfig,
    TrunkConfig,
    VisualConfig,
)
from polyglance.training.log import read_log
from polyglance.training.loop import Trainer

COUNT, CHANNELS, REGIONS, CLASSES = 10, 5, 4, 3
ENGLISH = [f"word{n} seen over word{n + 1} again" for n in range(COUNT)]
GERMAN = [f"wort{n} noch einmal über wort{n + 1}" for n in range(COUNT)]
RECORDS = [Record(id=str(n), captions={"en": (ENGLISH[n],)}) for n in range(COUNT)]
TRUNK = TrunkConfig(
    tokenizer=TokenizerConfig(vocabulary_size=350, min_frequency=1),
    layers=1,
    width=16,
    heads=2,
    dropout=0.1,
    max_length=40,
)
CONFIG = FeiConfig(
    objective="pretraining",
    backbone=PrecomputedConfig(channels=CHANNELS, regions=REGIONS, classes=CLASSES),
    stream=SingleStreamConfig(
        trunk=TRUNK, visual=VisualConfig(frequencies=2), languages=("en", "de")
    ),
)


def kept_rows() -> torch.Tensor:
    """(pictures, regions, row): features, boxes and probabilities."""
    random = torch.Generator().manual_seed(2)
    features = torch.randn(COUNT, REGIONS, CHANNELS, generator=random)
    boxes = torch.rand(COUNT, REGIONS, 2, 2, generator=random).sort(dim=2).values.flatten(2)
    labels = torch.randn(COUNT, REGIONS, CLASSES, generator=random).softmax(-1)
    return torch.cat([features, boxes, labels], dim=-1)


def trainer(folder: Path, *, parallel: bool = True) -> tuple[Trainer, System]:
    torch.manual_seed(3)
    system = build_system(CONFIG, training_texts={"en": ENGLISH + GERMAN})
    pairs = [{"en": one, "de": other} for one, other in zip(ENGLISH, GERMAN, strict=True)]
    return Trainer(
        system,
        config=tiny_config(phases=[{"steps": 6, "learning_rate": 0.003}]),
        sampler=CaptionSampler(RECORDS, batch_size=5, seed=3),
        sources=lambda _split, _frozen: TensorSource(kept_rows()),
        validator=None,
        folder=folder,
        parallel=ParallelSampler(pairs, pivot="en", batch_size=4) if parallel else None,
        monolingual=MonolingualSampler({"de": GERMAN}, batch_size=4),
        show_progress=False,
    ), system


def terms(folder: Path) -> list[list[float]]:
    return [[line[task] for task in TASKS] for line in read_log(folder) if "mlm" in line]


def test_stopped_and_resumed_hides_the_same_words_and_regions(tmp_path: Path) -> None:
    whole, uninterrupted = trainer(tmp_path / "whole")
    whole.fit()
    first, stopping = trainer(tmp_path / "parts")

    def interrupt(*_: object) -> None:
        if first.progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    stopping.get_submodule("image").register_forward_pre_hook(interrupt)
    assert first.fit().signal == signal.SIGINT
    second, resumed = trainer(tmp_path / "parts")
    assert second.fit().progress.finished
    one, other = uninterrupted.state_dict(), resumed.state_dict()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    curves = [terms(tmp_path / name / "log.jsonl") for name in ("whole", "parts")]
    assert curves[0] == curves[1]
    assert len(curves[0]) == 6
    assert all(sum(task) > 0 for task in zip(*curves[0], strict=True))


def test_a_recipe_without_what_a_task_learns_from_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tlm and cltr learn from parallel text"):
        trainer(tmp_path, parallel=False)[0].fit()
