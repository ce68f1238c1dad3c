"""Training by two processes: the same gradients, stops agreed on, resumption, shared failure."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from tests.training.tiny import tiny_config
from tests.training.two_ranks import RANKS, STEPS, STOP_AT, trainer

from polyglance.errors import ConfigError
from polyglance.losses.catalogue import LOSSES
from polyglance.training.checkpoint import read_progress
from polyglance.training.log import read_log
from polyglance.training.ranks import Ranks
from polyglance.training.state import LAST


@dataclass
class Ended:
    """What the two processes left."""

    folder: Path
    told: dict[str, Any]
    codes: list[int]
    errors: list[str]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = Path(__file__).parents[2]
    shared = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(root),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(RANKS),
        "NODE_RANK": "0",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.two_ranks", str(folder)],
            env={**shared, "LOCAL_RANK": str(rank)},
            cwd=root,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(RANKS)
    ]
    errors = [process.communicate(timeout=170)[1] for process in processes]
    path = folder / "told.json"
    assert path.exists(), "\n".join(errors)
    told = json.loads(path.read_text("utf-8"))
    return Ended(folder, told, [process.returncode for process in processes], errors)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_two_ranks_have_the_gradients_of_one_process(ended: Ended, name: str) -> None:
    found = ended.told["gradients"][name]
    assert found["largest"] > 1e-3
    assert found["relative"] < 1e-10


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("clmr", 1e-10),
        ("clmr in chunks", 1e-10),
        ("scan", 1e-4),
        ("scan on translations", 1e-4),
        ("fei retrieval", 1e-4),
        ("fei alignment", 1e-4),
    ],
)
def test_so_have_systems_with_more_than_a_matrix_product(
    ended: Ended, name: str, tolerance: float
) -> None:
    found = ended.told["gradients"][name]
    assert found["largest"] > 1e-3
    assert found["relative"] < tolerance


@pytest.mark.parametrize("name", ["fei pretraining", "fei mined"])
def test_what_is_drawn_has_the_mean_of_the_ranks(ended: Ended, name: str) -> None:
    found = ended.told["gradients"][name]
    assert found["relative"] < 1e-4
    assert found["untouched"] > 0  # the head of retrieval, or the words of no picture


def test_ranks_stay_alike_and_resume_bit_by_bit(ended: Ended) -> None:
    assert ended.told["ranks agree"]
    assert ended.told["different"] == []
    lines = read_log(ended.folder / "parts" / "log.jsonl")
    assert [x["event"] for x in lines if x["event"] != "step"] == ["start", "end", "resume", "end"]
    assert [x["step"] for x in lines if x["event"] == "end"] == [STOP_AT, STEPS]
    assert lines[0]["devices"] == "2 × cpu"


def test_the_first_rank_alone_measures(ended: Ended) -> None:
    lines = read_log(ended.folder / "whole" / "log.jsonl")
    assert [x["step"] for x in lines if x["event"] == "evaluation"] == [3, 6, 8]
    assert [x["step"] for x in lines if x["event"] == "step"] == list(range(1, STEPS + 1))


def test_one_process_goes_on_where_two_stopped(ended: Ended, tmp_path: Path) -> None:
    uninterrupted, whole = trainer(tmp_path / "whole", None, dropout=0.0)
    uninterrupted.fit()
    shutil.copytree(ended.folder / "plain", tmp_path / "parts")
    assert read_progress(tmp_path / "parts" / LAST)["run"]["step"] == STOP_AT
    second, resumed = trainer(tmp_path / "parts", None, dropout=0.0)
    assert second.fit().progress.finished
    losses = [
        [x["loss"] for x in read_log(tmp_path / name / "log.jsonl") if x["event"] == "step"]
        for name in ("whole", "parts")
    ]
    # The same pictures and captions in every step: the first half by two, the second by one.
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    for name, tensor in whole.state_dict().items():
        assert torch.allclose(tensor, resumed.state_dict()[name], atol=2e-3), name


def test_two_processes_draw_the_same_batches_as_one(ended: Ended, tmp_path: Path) -> None:
    alone, _ = trainer(tmp_path, None, dropout=0.0)
    alone.fit()
    one, two = (
        [x["loss"] for x in read_log(folder / "log.jsonl") if x["event"] == "step"]
        for folder in (tmp_path, ended.folder / "plain")
    )
    assert two == pytest.approx(one[:STOP_AT], rel=1e-4)


def test_where_one_fails_the_other_stops_and_says_why(ended: Ended) -> None:
    assert ended.codes == [2, 2]
    assert ended.errors[1].strip().endswith("the disk of this one is full")
    assert "process 0 stopped, since process 1 failed: the disk of this one" in ended.errors[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "16-mixed", "accelerator": "cpu"}, "is for GPUs.*bf16-mixed"),
        ({"accelerator": "cuda"}, "finds no GPU"),
    ],
)
def test_devices_that_are_not_there(settings: dict[str, str], message: str) -> None:
    if settings["accelerator"] == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ConfigError, match=message):
        Ranks(tiny_config(**settings))


def test_a_program_that_cannot_be_started_again_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["-c"])
    with pytest.raises(ConfigError, match="starts this program again"):
        Ranks(tiny_config(devices=2, accelerator="cpu"))


def test_a_scaled_loss_trains_and_its_scale_is_kept(tmp_path: Path) -> None:
    """In half precision, with a fabric on the CPU in the place of a GPU's."""
    ranks = Ranks(tiny_config())
    plugin = MixedPrecision("16-mixed", device="cpu")
    ranks.fabric = Fabric(accelerator="cpu", devices=1, plugins=plugin)
    made, _ = trainer(tmp_path, ranks, dropout=0.0)
    phases = [{"steps": 40, "learning_rate": 0.01}]
    made._config, made._lengths = tiny_config(precision="16-mixed", phases=phases), [40]
    assert made.fit().progress.finished
    assert read_progress(tmp_path / LAST)["loss_scale"]["scale"] > 0
    losses = [x["loss"] for x in read_log(tmp_path / "log.jsonl") if x["event"] == "step"]
    assert losses[-1] < losses[0] / 2
