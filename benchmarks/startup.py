"""How long the command line takes to answer, against the bare interpreter.

    python benchmarks/startup.py

Prints the processor time of ``polyglance --help`` and ``--version``, each as a ratio to starting
Python with nothing to do, the two in turn so that a drifting machine hits both.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

RUNS = 7
GOAL = 0.5  # seconds of processor time for --help


def processor_seconds(arguments: list[str]) -> float:
    """User and system time of one run of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    polyglance = [sys.executable, "-m", "polyglance"]
    commands = {
        "bare interpreter": [sys.executable, "-c", "pass"],
        "polyglance --help": [*polyglance, "--help"],
        "polyglance --version": [*polyglance, "--version"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, command in commands.items():
            seconds[name].append(processor_seconds(command))
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    bare = medians["bare interpreter"]
    for name, median in medians.items():
        print(f"{name:22} {median:6.3f} s of processor time, {median / bare:5.1f}× bare")
    met = "met" if medians["polyglance --help"] < GOAL else "missed"
    print(f"goal for --help under {GOAL} s: {met}")


if __name__ == "__main__":
    main()
