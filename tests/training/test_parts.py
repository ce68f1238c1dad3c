"""Optimisers, checkpoints, log and collapse guard, each by itself."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.training.tiny import TinySystem

from polyglance.errors import ConfigError, ModelError, TrainingError
from polyglance.losses.annealed_hinges import AnnealedHinges
from polyglance.losses.barlow_twins import BarlowTwins
from polyglance.losses.info_nce import InfoNCE
from polyglance.losses.max_of_hinges import MaxOfHinges
from polyglance.training.checkpoint import (
    Random,
    frozen_tensors,
    load_state,
    load_weights,
    read_progress,
    save_state,
    save_weights,
)
from polyglance.training.collapse import plateau
from polyglance.training.log import RunLog, read_log
from polyglance.training.optimizers import OPTIMIZERS, build_optimizer, set_learning_rate
from polyglance.training.phases import freeze
from polyglance.training.recipe import PhaseConfig

NOTHING = frozen_tensors(torch.nn.Identity(), [])


def test_rates_and_decay_by_part() -> None:
    system = TinySystem()
    freeze(system, ["image.backbone"])
    phase = PhaseConfig(
        steps=1,
        optimizer="adamw",
        learning_rate=0.1,
        learning_rate_scale={"text.encoder": 0.5},
        weight_decay=0.3,
    )
    optimizer = build_optimizer(system, phase)
    settings = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    found = {
        name: settings[id(parameter)]
        for name, parameter in system.named_parameters()
        if id(parameter) in settings
    }
    assert found["words.weight"] == (0.05, 0.3)
    assert found["text_head.layers.1.weight"] == (0.1, 0.3)
    assert found["text_head.layers.1.bias"] == (0.1, 0.0)
    assert not any(name.startswith("backbone") for name in found)
    assert set(settings) == {id(p) for p in system.parameters() if p.requires_grad}
    set_learning_rate(optimizer, 0.1)
    set_learning_rate(optimizer, 0.2)
    assert sorted({group["lr"] for group in optimizer.param_groups}) == pytest.approx([0.01, 0.02])


def test_a_scale_for_a_part_that_is_not_there() -> None:
    phase = PhaseConfig(steps=1, learning_rate_scale={"text.encoders": 0.5})
    with pytest.raises(ConfigError, match=r"no part 'text\.encoders'; parts: .*text\.encoder"):
        build_optimizer(TinySystem(), phase)


def save(
    path: Path, system: TinySystem, optimizer: torch.optim.Optimizer, progress: dict[str, int]
) -> None:
    save_state(
        path,
        model=system,
        frozen=NOTHING,
        optimizer=optimizer,
        progress=progress,
        random_states=[Random.present()],
    )


@pytest.mark.parametrize("kind", sorted(OPTIMIZERS))
def test_a_checkpoint_restores_everything(kind: str, tmp_path: Path) -> None:
    def train(system: TinySystem, optimizer: torch.optim.Optimizer) -> None:
        for _ in range(3):
            loss = system.text_head(system.words(torch.randint(0, 64, (4, 5)))).square()[:, 0].sum()
            optimizer.zero_grad()
            (loss + np.random.rand()).backward()
            optimizer.step()

    phase = PhaseConfig.model_validate({"steps": 1, "optimizer": kind, "learning_rate": 0.1})
    system = TinySystem()
    optimizer = build_optimizer(system, phase)
    train(system, optimizer)
    path = tmp_path / "state.safetensors"
    save(path, system, optimizer, {"at": 3})
    train(system, optimizer)

    torch.manual_seed(99)
    other = TinySystem()
    other_optimizer = build_optimizer(other, phase)
    random = load_state(path, model=other, frozen=NOTHING, optimizer=other_optimizer)
    assert random is not None
    random.restore()
    train(other, other_optimizer)
    assert read_progress(path) == {"at": 3}
    assert list(tmp_path.iterdir()) == [path]
    for name, tensor in system.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_another_models_checkpoint_is_refused(tmp_path: Path) -> None:
    system = TinySystem()
    optimizer = build_optimizer(system, PhaseConfig(steps=1))
    save(tmp_path / "s", system, optimizer, {})
    other = TinySystem(loss=MaxOfHinges())
    with pytest.raises(ModelError, match="belongs to another model"):
        load_state(tmp_path / "s", model=other, frozen=NOTHING, optimizer=optimizer)


def test_a_full_disk_is_told_and_the_checkpoint_before_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_tensors: object, path: Path, **_options: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "s"
    save_weights(path, model=TinySystem(), frozen=NOTHING, progress={"at": 1})
    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(TrainingError, match=r"cannot be written: .*No space left.*whole"):
        save_weights(path, model=TinySystem(), frozen=NOTHING, progress={"at": 2})
    assert read_progress(path) == {"at": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_always_frozen_is_left_out_and_recognised(tmp_path: Path) -> None:
    system = TinySystem()
    frozen = frozen_tensors(system, [system.backbone])
    assert all(name.startswith("backbone.") for name in frozen.names)
    assert "backbone.1.running_mean" in frozen.names
    path = tmp_path / "s"
    save_weights(path, model=system, frozen=frozen, progress={})
    assert "model.backbone.0.weight" not in load_file(path)
    other = TinySystem()
    other.backbone.load_state_dict(system.backbone.state_dict())
    load_weights(path, model=other, frozen=frozen_tensors(other, [other.backbone]))
    for name, tensor in system.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    stranger = TinySystem()
    with pytest.raises(ModelError, match="not those that the run began with"):
        load_weights(path, model=stranger, frozen=frozen_tensors(stranger, [stranger.backbone]))


def test_the_log_forgets_what_will_be_trained_again(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    for step in range(1, 6):
        log.write("step", step, loss=1.0 / step, text="größer")
    log.close()
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"event": "step", "st')  # a line that a kill cut short
    log = RunLog(tmp_path, resume_at=3)
    log.write("step", 4, loss=9.0)
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert lines == read_log(tmp_path / "log.jsonl")
    assert [(line["step"], line["loss"]) for line in lines] == [
        *[(1, 1.0), (2, 0.5), (3, 1 / 3), (4, 9.0)]
    ]
    assert lines[0]["text"] == "größer"
    RunLog(tmp_path).close()  # a run that begins anew
    assert read_log(tmp_path / "log.jsonl") == []


def test_tensorboard_gets_the_numbers(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = RunLog(tmp_path, tensorboard=True)
    log.write("step", 7, loss=0.25, languages={"de": {"rsum": 12.0}}, text="no number")
    log.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert sorted(events.Tags()["scalars"]) == ["step/languages/de/rsum", "step/loss"]
    assert [(e.step, e.value) for e in events.Scalars("step/loss")] == [(7, 0.25)]


def test_plateaus_are_the_known_values() -> None:
    positives = torch.eye(128, dtype=torch.bool)
    assert plateau(MaxOfHinges(margin=0.2), positives) == pytest.approx(51.2)  # 2·B·α of VSE++
    # InfoNCE's two halves are averages, so together they are log B.
    assert plateau(InfoNCE(), positives) == pytest.approx(np.log(128), rel=1e-5)
    assert plateau(BarlowTwins(), positives) is None
    assert plateau(None, positives) is None


def test_looking_at_the_plateau_is_no_training_step() -> None:
    loss = AnnealedHinges().train()
    plateau(loss, torch.eye(4, dtype=torch.bool))
    assert int(loss.steps) == 0
    assert loss.training
