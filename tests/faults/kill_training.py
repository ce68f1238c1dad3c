"""``polyglance train``, killed over and over: the model is that of an undisturbed run, to the bit.

python tests/faults/kill_training.py --kills 20
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.killing import completed, killed
from polyglance.training.log import read_log
from support.squares import write_squares

EPOCHS = 60
OPTIONS = (
    f"--set=training.phases.0.epochs={EPOCHS}",
    "--set=training.phases.1.epochs=5",
    "--set=training.evaluate_every=20",
)


@dataclass
class Count:
    """What was done.

    Attributes:
        kills: of running processes.
        runs: that ended, and were compared.
    """

    kills: int = 0
    runs: int = 0


def kill_training(folder: Path, *, kills: int, seed: int = 0) -> Count:
    """Kill the command so often, then let it end, and compare every run that ends.

    A moment is at most a fifth of the time that an undisturbed run trains for: so a run is killed
    several times before it ends, wherever it runs.

    Args:
        folder: for data and runs.
        kills: how many.
        seed: of the moments.

    Raises:
        AssertionError: the model is another, or a step was logged twice.
    """
    recipe = write_squares(folder)
    environment = {
        **os.environ,
        "TINY": str(folder),
        "POLYGLANCE_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    whole, torn = folder / "whole", folder / "torn"
    completed(command(recipe, whole), environment)
    chance, count, longest = random.Random(seed), Count(), _seconds(whole) / 5
    while count.kills < kills:
        if killed(
            command(recipe, torn),
            begun=_Begun(torn),
            chance=chance,
            longest=longest,
            environment=environment,
        ):
            count.kills += 1
        else:
            _compare(whole, torn)
            count.runs += 1
            shutil.rmtree(torn)
    completed(command(recipe, torn), environment)
    _compare(whole, torn)
    count.runs += 1
    return count


class _Begun:
    """Whether a process has logged something more in a run's folder."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.before = _size(run)

    def __call__(self, _process: int) -> bool:
        return _size(self.run) not in {0, self.before}


def _compare(whole: Path, torn: Path) -> None:
    from polyglance.systems.checkpoint import load_checkpoint

    models = [load_checkpoint(run / "model") for run in (whole, torn)]
    assert models[0].fingerprint == models[1].fingerprint
    expected, logged = _steps(whole), _steps(torn)
    assert len(logged) == len(set(logged)), "a step was logged twice"
    assert set(logged) == set(expected)


def _steps(run: Path) -> list[tuple[str, int]]:
    """What was logged of which step."""
    lines = ((line["event"], line["step"]) for line in read_log(run / "log.jsonl"))
    return [line for line in lines if line[0] in {"step", "evaluation"}]


def _seconds(run: Path) -> float:
    """From the first line that a run logged to the last."""
    times = [line["time"] for line in read_log(run / "log.jsonl")]
    return float(times[-1] - times[0])


def command(recipe: Path, run: Path) -> list[str]:
    """The words of a command line that trains."""
    words = [sys.executable, "-m", "polyglance", "train", str(recipe)]
    return [*words, "--output", str(run), *OPTIONS]


def _size(run: Path) -> int:
    log = run / "log.jsonl"
    return log.stat().st_size if log.exists() else 0


def main() -> None:
    """Kill, and print how often."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        count = kill_training(Path(scratch), kills=given.kills, seed=given.seed)
    print(
        f"{count.kills} kills, {count.runs} runs that ended, each with the model of an undisturbed "
        "one, to the bit"
    )


if __name__ == "__main__":
    main()
