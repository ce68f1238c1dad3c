"""The loop: it learns, freezes what it should, stops when asked and goes on bit by bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.training.tiny import TinySystem, tiny_config, tiny_pixels, tiny_records, tiny_trainer
from torch import Tensor, nn

from polyglance.data.dataset import TensorSource, assemble
from polyglance.data.sampler import CaptionSampler
from polyglance.errors import ConfigError, ModelError, TrainingError
from polyglance.losses.base import ScoreLoss
from polyglance.losses.max_of_hinges import MaxOfHinges
from polyglance.systems.base import System
from polyglance.training.checkpoint import read_progress
from polyglance.training.log import read_log
from polyglance.training.state import BEST, LAST

TWO_PHASES = [
    {"steps": 9, "learning_rate": 0.01, "frozen": ["image.backbone"]},
    {
        "steps": 12,
        "learning_rate": 0.004,
        "optimizer": "adamw",
        "weight_decay": 0.1,
        "schedule": {"kind": "cosine", "warmup_steps": 3},
    },
]


def snapshot(system: System) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in system.state_dict().items()}


def assert_bit_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    different = [name for name in first if not torch.equal(first[name], second[name])]
    assert different == []


def test_eight_pairs_are_overfitted(tmp_path: Path) -> None:
    config = tiny_config(phases=[{"steps": 150, "learning_rate": 0.01}], evaluate_every=150)
    trainer, system = tiny_trainer(tmp_path, config=config, system=TinySystem(dropout=0.0), count=8)
    outcome = trainer.fit()
    assert outcome.progress.finished
    losses = [line["loss"] for line in read_log(tmp_path / "log.jsonl") if line["event"] == "step"]
    assert losses[0] > 1.5
    assert losses[-1] < 0.05
    # By identity, not by the way the loop batched them.
    system.eval()
    batch = assemble(
        CaptionSampler(tiny_records(8), batch_size=8).batch(0, 0), TensorSource(tiny_pixels(8))
    )
    assert batch is not None
    images = system.encode_images(batch.images)
    texts = system.encode_texts(system.prepare_texts(batch.texts, batch.languages))
    best = system.score(images, texts).argmax(dim=0)
    assert torch.equal(batch.image_ids[best], batch.text_image_ids)


@pytest.mark.parametrize("stop_at", [1, 9, 10, 17])
def test_stopped_and_resumed_equals_uninterrupted(tmp_path: Path, stop_at: int) -> None:
    config = tiny_config(phases=TWO_PHASES)
    trainer, system = tiny_trainer(tmp_path / "whole", config=config)
    trainer.fit()

    first, stopping = tiny_trainer(tmp_path / "parts", config=config)

    def interrupt() -> None:
        if first.progress.step + 1 == stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    stopping.before_step = interrupt
    outcome = first.fit()
    assert (outcome.signal, outcome.progress.finished) == (signal.SIGINT, False)
    assert read_progress(tmp_path / "parts" / LAST)["run"]["step"] == stop_at

    torch.rand(1000)  # whatever happened in between must not matter
    second, resumed = tiny_trainer(tmp_path / "parts", config=config)
    assert second.fit().progress.finished
    assert_bit_equal(snapshot(system), snapshot(resumed))
    whole = steps_of(tmp_path / "whole")
    assert steps_of(tmp_path / "parts") == whole
    assert [line[0] for line in whole] == list(range(1, 22))


def steps_of(folder: Path) -> list[tuple[int, float, float]]:
    lines = read_log(folder / "log.jsonl")
    return [(x["step"], x["loss"], x["learning_rate"]) for x in lines if x["event"] == "step"]


PROGRAM = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[2])
import polyglance.training.clocks as clocks
clocks.LEAST_SECONDS, clocks.SHARE = 0.0, 0
from tests.training.test_loop import LONG
from tests.training.tiny import tiny_trainer
trainer, _ = tiny_trainer(Path(sys.argv[1]), config=LONG)
sys.exit(3 if trainer.fit().signal else 0)
"""
LONG = tiny_config(phases=[{"steps": 600, "learning_rate": 0.01}], evaluate_every=60)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums are only the same bit by bit where they are cut up the same way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_kill_nine_and_sigterm_then_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    path = tmp_path / "parts" / LAST

    def reached() -> int:
        return int(read_progress(path)["run"]["step"]) if path.exists() else 0

    def start_and_wait_for(step: int) -> subprocess.Popen[bytes]:
        root = str(Path(__file__).parents[2])
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path.parent), root])
        deadline = time.monotonic() + 60
        while reached() < step:
            assert process.poll() is None, "it ended by itself"
            assert time.monotonic() < deadline, f"step {step} never came"
            time.sleep(0.005)
        return process

    killed = start_and_wait_for(20)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    terminated = start_and_wait_for(reached() + 20)
    terminated.send_signal(signal.SIGTERM)
    assert terminated.wait() == 3
    assert reached() < 600
    resuming, resumed = tiny_trainer(tmp_path / "parts", config=LONG)
    assert resuming.fit().progress.finished
    uninterrupted, whole = tiny_trainer(tmp_path / "whole", config=LONG)
    uninterrupted.fit()
    assert_bit_equal(snapshot(whole), snapshot(resumed))
    assert steps_of(tmp_path / "parts") == steps_of(tmp_path / "whole")


def test_frozen_parts_are_left_exactly_as_they_are(tmp_path: Path) -> None:
    frozen = ["image.backbone", "text"]
    config = tiny_config(phases=[{"steps": 6, "learning_rate": 0.1, "frozen": frozen}])
    trainer, system = tiny_trainer(tmp_path, config=config)
    before = snapshot(system)
    trainer.fit()
    after = snapshot(system)
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"image_head", "loss"}  # not even the running means of BatchNorm
    assert not any(system.parts()[part].training for part in ("image.backbone", "text.head"))


@pytest.mark.parametrize("moving", [False, True])
def test_a_backbone_that_learns_keeps_its_statistics_unless_told(
    tmp_path: Path, moving: bool
) -> None:
    phase = {"steps": 6, "learning_rate": 0.1, "batch_statistics": moving}
    trainer, system = tiny_trainer(tmp_path, config=tiny_config(phases=[phase]), validate=False)
    modes = []
    system.before_step = lambda: modes.append([m.training for m in system.backbone])
    before = snapshot(system)
    trainer.fit()
    after = snapshot(system)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    statistics = {f"backbone.1.{of}" for of in ("running_mean", "running_var")}
    assert changed & statistics == (statistics if moving else set())
    assert {"backbone.0.weight", "backbone.1.weight", "backbone.1.bias"} < changed
    assert modes == [[True, moving, True, True]] * 6  # only BatchNorm stands still


def test_a_part_frozen_in_one_phase_learns_in_the_next(tmp_path: Path) -> None:
    trainer, system = tiny_trainer(tmp_path, config=tiny_config(phases=TWO_PHASES))
    before = snapshot(system)["backbone.0.weight"]
    trainer.fit()
    assert not torch.equal(before, snapshot(system)["backbone.0.weight"])


@pytest.mark.parametrize(
    ("frozen", "message"),
    [
        (["image.backbon"], "no part 'image.backbon'.*image.backbone"),
        (["image", "text", "loss"], "nothing is left to learn"),
    ],
)
def test_impossible_freezing(tmp_path: Path, frozen: list[str], message: str) -> None:
    config = tiny_config(phases=[{"steps": 1, "frozen": frozen}])
    with pytest.raises(ConfigError, match=message):
        tiny_trainer(tmp_path, config=config)[0].fit()


def test_the_log_tells_the_run(tmp_path: Path) -> None:
    config = tiny_config(phases=[{"epochs": 2}], log_every=2)
    trainer, _ = tiny_trainer(tmp_path, config=config)
    trainer.fit()
    lines = read_log(tmp_path / "log.jsonl")
    assert [line["event"] for line in lines] == [
        *["start", "step", "evaluation"],  # 20 pictures, 3 steps an epoch; step 2, then its end
        *["step", "step", "evaluation", "end"],
    ]
    step, evaluation = lines[1], lines[2]
    assert step["step"] == 2
    assert step["pairs_per_second"] > 0
    assert step["learning_rate"] == 1e-4
    assert step["gradient_norm"] > 0
    terms = step["image_to_text"] + step["text_to_image"]
    assert step["loss"] == pytest.approx(terms)
    assert evaluation["step"] == 3
    assert set(evaluation["languages"]) == {"en", "de"}
    assert evaluation["languages"]["en"]["text_to_image"]["R@10"] <= 100
    rsums = [report["rsum"] for report in evaluation["languages"].values()]
    assert evaluation["mean_recall"] == pytest.approx(sum(rsums) / 12)
    assert lines[-1]["finished"] is True


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    config = tiny_config(phases=[{"steps": 60, "learning_rate": 0.01}], evaluate_every=5)
    trainer, _ = tiny_trainer(tmp_path, config=config)
    progress = trainer.fit().progress
    measured = {
        line["step"]: line["mean_recall"]
        for line in read_log(tmp_path / "log.jsonl")
        if line["event"] == "evaluation"
    }
    assert len(measured) == 12
    assert progress.best_recall == max(measured.values()) == measured[progress.best_step or 0]
    assert read_progress(tmp_path / BEST)["mean_recall"] == progress.best_recall
    assert read_progress(tmp_path / BEST)["step"] == progress.best_step


class Exploding(ScoreLoss):
    """Fine for three steps."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, scores: Tensor, positives: Tensor) -> dict[str, Tensor]:
        self.calls += self.training
        return {"boom": scores.mean() / (0.0 if self.calls > 3 else 1.0)}


def test_a_loss_that_is_not_finite_stops_with_a_word(tmp_path: Path) -> None:
    trainer, system = tiny_trainer(tmp_path, system=TinySystem(loss=Exploding()))
    with pytest.raises(TrainingError, match=r"loss is .*inf at step 4 \(.*learning_rate"):
        trainer.fit()
    assert all(torch.isfinite(t).all() for t in system.state_dict().values())


class Mute(nn.Module):
    """An image head that says the same of every picture."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = nn.Parameter(torch.eye(16)[0])

    def forward(self, inputs: Tensor) -> Tensor:
        return nn.functional.normalize(self.answer, dim=0).expand(len(inputs), 16)


def test_a_collapsed_run_is_warned_about_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system = TinySystem(loss=MaxOfHinges(margin=0.2))
    system.image_head = Mute()  # type: ignore[assignment]
    system.text_head = Mute()  # type: ignore[assignment]
    config = tiny_config(phases=[{"steps": 450, "learning_rate": 1e-5}], log_every=450)
    trainer, _ = tiny_trainer(tmp_path, config=config, system=system, count=16, validate=False)
    trainer.fit()
    warnings = [x for x in read_log(tmp_path / "log.jsonl") if x["event"] == "warning"]
    assert [line["step"] for line in warnings] == [190]  # looked at after steps 0, 10, …, 190
    assert "at 3.2 for 200 steps" in warnings[0]["text"]  # 2·B·α with 8 pairs
    assert "have collapsed" in capsys.readouterr().err
    kept = read_progress(tmp_path / LAST)
    assert (kept["collapse"], kept["collapse_mean"]) == (450, pytest.approx(1, abs=1e-3))


def test_two_trainers_in_one_folder(tmp_path: Path) -> None:
    first, system = tiny_trainer(tmp_path)
    inside, done = threading.Event(), threading.Event()

    def hold() -> None:
        inside.set()
        done.wait(30)

    system.before_step = hold
    thread = threading.Thread(target=first.fit)
    thread.start()
    inside.wait(30)
    try:
        with pytest.raises(TrainingError, match="is being written by process"):
            tiny_trainer(tmp_path)[0].fit()
    finally:
        done.set()
        thread.join()


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    trainer, _ = tiny_trainer(tmp_path, config=tiny_config(phases=[{"steps": 2}]))
    trainer.fit()
    content = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"last\.safetensors: .*damaged"):
        tiny_trainer(tmp_path)[0].fit()


def test_bfloat16_trains_too(tmp_path: Path) -> None:
    config = tiny_config(precision="bf16-mixed", phases=[{"steps": 40, "learning_rate": 0.01}])
    trainer, system = tiny_trainer(tmp_path, config=config, validate=False)
    formats = set()

    def watched(texts, languages):
        formats.add(torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu"))
        return type(system).prepare_texts(system, texts, languages)

    system.prepare_texts = watched
    trainer.fit()
    assert formats == {torch.bfloat16}
    losses = [loss for _, loss, _ in steps_of(tmp_path)]
    assert losses[-1] < losses[0] / 2
    assert system.state_dict()["words.weight"].dtype == torch.float32
