"""``polyglance train``, killed over and over: the model is that of an undisturbed run, to the bit.

python tests/faults/kill_training.py --kills 20
"""

from __future__ import annotations

import argparse
import os
import random
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
        early: how often it had ended before.
    """

    kills: int = 0
    early: int = 0


def kill_training(folder: Path, *, kills: int, longest: float, seed: int = 0) -> Count:
    """Kill the command so often, then let it end, and compare.

    Args:
        folder: for data and runs.
        kills: how many.
        longest: seconds between a first step and its end.
        seed: of the moments.

    Raises:
        AssertionError: the model is another, or a step was logged twice.
    """
    from polyglance.systems.checkpoint import load_checkpoint

    recipe = write_squares(folder)
    environment = {
        **os.environ,
        "TINY": str(folder),
        "POLYGLANCE_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    completed(command(recipe, folder / "whole"), environment)
    chance, count = random.Random(seed), Count()
    torn = folder / "torn"
    while count.kills < kills and count.early < kills:
        size = _size(torn)
        begun = lambda _process: _size(torn) not in {0, size}  # noqa: B023, E731
        if killed(
            command(recipe, torn),
            begun=begun,
            chance=chance,
            longest=longest,
            environment=environment,
        ):
            count.kills += 1
        else:
            count.early += 1
    completed(command(recipe, torn), environment)
    models = [load_checkpoint(run / "model") for run in (folder / "whole", torn)]
    assert models[0].fingerprint == models[1].fingerprint
    logged = [(line["event"], line["step"]) for line in read_log(torn / "log.jsonl")]
    steps = [entry for entry in logged if entry[0] in {"step", "evaluation"}]
    assert len(steps) == len(set(steps)), "a step was logged twice"
    whole = [(line["event"], line["step"]) for line in read_log(folder / "whole" / "log.jsonl")]
    assert set(steps) == {entry for entry in whole if entry[0] in {"step", "evaluation"}}
    return count


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
    parser.add_argument("--longest", type=float, default=3.0, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        count = kill_training(
            Path(scratch), kills=given.kills, longest=given.longest, seed=given.seed
        )
    print(f"{count.kills} kills, and the model is the one of an undisturbed run, to the bit")


if __name__ == "__main__":
    main()
