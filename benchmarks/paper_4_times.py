"""Time to encode 5,000 Chinese captions with a plain dual encoder and with what CL2CM leaves.

`python benchmarks/paper_4_times.py`, on a machine without other work, takes the checkpoints that
`recipes/paper_4.py` keeps in `runs/kept/paper-4` and the Chinese captions of Flickr8k's validation
photos. Models take six turns a round, each first in half of them, and a round's median counts; each
is loaded anew, which is not timed, so that it remembers no words. Writes
`docs/results/paper-4-times.json` for the page of paper 4. Needs POLYGLANCE_FLICKR8K.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from pathlib import Path

import torch

from polyglance.data.manifest import read_manifest
from polyglance.precision import inference_precision
from polyglance.systems.base import System
from polyglance.systems.checkpoint import load_checkpoint
from polyglance.text.batching import length_sorted_batches

SYSTEMS = ("plain", "cl2cm")
LANGUAGE, BATCH = "zh", 128
ROUNDS, TURNS = 8, 6  # an even number of turns, so that each comes first as often
KEPT = Path("runs/kept/paper-4")
OUTPUT = Path("docs/results/paper-4-times.json")


def main() -> None:
    """Let both encode, in turns."""
    named = os.environ.get("POLYGLANCE_FLICKR8K")
    if not named:
        raise SystemExit("set POLYGLANCE_FLICKR8K to the folder that holds val.jsonl")
    records = read_manifest(Path(named) / "val.jsonl")
    captions = [text for record in records for text in record.captions[LANGUAGE]]
    a_round(captions)  # warms up
    rounds = [a_round(captions) for _ in range(ROUNDS)]
    taken = {name: [round(each[name], 4) for each in rounds] for name in SYSTEMS}
    rows = [
        {
            "system": name,
            "seconds": seconds,
            "captions": len(captions),
            "threads": torch.get_num_threads(),
        }
        for name, seconds in taken.items()
    ]
    for name, seconds in taken.items():
        print(f"{name:6} {statistics.median(seconds):6.2f} s")
    OUTPUT.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def a_round(captions: list[str]) -> dict[str, float]:
    """Each model's median seconds over its turns."""
    taken: dict[str, list[float]] = {name: [] for name in SYSTEMS}
    for turn in range(TURNS):
        for name in SYSTEMS if turn % 2 else reversed(SYSTEMS):
            taken[name].append(timed(loaded(KEPT / name), captions))
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def loaded(folder: Path) -> System:
    """A kept model, to be used; a word of another language has opened its sentence encoder."""
    system = load_checkpoint(folder).system.eval()
    system.prepare_texts(["a"], ["en"])
    return system


@torch.inference_mode()
def timed(system: System, captions: list[str]) -> float:
    """Seconds to encode all captions."""
    started = time.perf_counter()
    with inference_precision():
        for rows in length_sorted_batches(captions, batch_size=BATCH):
            some = [captions[row] for row in rows]
            system.encode_texts(system.prepare_texts(some, [LANGUAGE] * len(some)))
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
