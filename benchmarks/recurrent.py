"""Our GRU and SRU against ``torch.nn.GRU`` on packed sequences: a step's forward and backward.

Run: ``POLYGLANCE_FLICKR8K=… python benchmarks/recurrent.py``

Batches of 128 English captions drawn from Flickr8k's training pictures, of their real lengths and
with their real repeats of words; random vectors of 300 dimensions, states of 1,024. Both start from
the vectors of the distinct words, give padded states, and take gradients back to the vectors and
all weights; each in float32 and under autocast to bfloat16. The SRU of four layers stands beside
torch's GRU of four, since torch has no SRU. All are timed in turns in one run, so
that whatever else the machine does strikes all; the ratios are of the medians.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import torch
import typer
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from polyglance.data.manifest import read_manifest
from polyglance.text.gru import GRU
from polyglance.text.recurrent_unit import RecurrentUnit
from polyglance.text.sru import SRU

CAPTIONS, WORD, HIDDEN, LAYERS = 128, 300, 1024, 4

Forward = Callable[["Batch"], Tensor]


@dataclass(frozen=True)
class Batch:
    """``table`` (distinct words, 300), ``index`` (128, words) rows of it, ``lengths`` (128,)."""

    table: Tensor
    index: Tensor
    lengths: Tensor


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Batches that each is timed on.")] = 9,
) -> None:
    """Print the median milliseconds of each, and the ratios to torch's in float32."""
    torch.manual_seed(0)
    batches = [batch for batch, _ in zip(_batches(), range(rounds + 1), strict=False)]
    words = statistics.mean(float(batch.lengths.sum()) for batch in batches)
    distinct = statistics.mean(len(batch.table) for batch in batches)
    print(f"{CAPTIONS} captions, {words:.0f} words, {distinct:.0f} distinct; {HIDDEN} states")
    for bidirectional in (False, True):
        print("GRU of two directions" if bidirectional else "GRU of one direction")
        theirs = nn.GRU(WORD, HIDDEN, batch_first=True, bidirectional=bidirectional)
        ours = GRU(input_size=WORD, hidden_size=HIDDEN, bidirectional=bidirectional)
        _compare(batches, theirs, ours)
    print(f"SRU of {LAYERS} layers, and torch's GRU of {LAYERS}")
    theirs = nn.GRU(WORD, HIDDEN, batch_first=True, num_layers=LAYERS)
    _compare(batches, theirs, SRU(input_size=WORD, hidden_size=HIDDEN, layers=LAYERS))


def _compare(batches: list[Batch], theirs: nn.GRU, ours: RecurrentUnit) -> None:
    def packed(batch: Batch) -> Tensor:
        vectors = batch.table[batch.index]  # (128, words, 300)
        sequence = pack_padded_sequence(
            vectors, batch.lengths, batch_first=True, enforce_sorted=False
        )
        return pad_packed_sequence(theirs(sequence)[0], batch_first=True)[0]

    def own(batch: Batch) -> Tensor:
        return cast(Tensor, ours(batch.table, batch.index, batch.lengths)[0])

    contestants: dict[str, tuple[Forward, nn.Module, bool]] = {
        "torch float32": (packed, theirs, False),
        "torch bfloat16": (packed, theirs, True),
        "ours  float32": (own, ours, False),
        "ours  bfloat16": (own, ours, True),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number, batch in enumerate(batches):
        for name, (forward, module, bf16) in contestants.items():
            taken = _seconds(forward, module, batch, bf16=bf16)
            if number:  # the first batch warms up
                times[name].append(taken)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, median in medians.items():
        ratio = medians["torch float32"] / median
        print(f"  {name:15} {1000 * median:6.0f} ms   ratio {ratio:.2f}", flush=True)


def _seconds(forward: Forward, module: nn.Module, batch: Batch, *, bf16: bool) -> float:
    """Of one forward and backward, ending in a gradient of one on each state."""
    module.zero_grad()
    batch.table.grad = None
    started = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        states = forward(batch)
    torch.autograd.backward(states, torch.ones_like(states))
    return time.perf_counter() - started


def _batches() -> Iterator[Batch]:
    """Without end, each of other captions."""
    named = os.environ.get("POLYGLANCE_FLICKR8K")
    if not named:
        raise SystemExit("set POLYGLANCE_FLICKR8K to the folder that holds train.jsonl")
    records = read_manifest(Path(named) / "train.jsonl")
    captions = [text for record in records for text in record.captions["en"]]
    chosen = random.Random(0)
    while True:
        yield _batch([text.lower().split() for text in chosen.sample(captions, CAPTIONS)])


def _batch(texts: list[list[str]]) -> Batch:
    words = dict.fromkeys(word for text in texts for word in text)
    place = {word: row for row, word in enumerate(words)}
    return Batch(
        table=torch.randn(len(place), WORD).mul_(0.1).requires_grad_(),
        index=pad_sequence([torch.tensor([place[w] for w in text]) for text in texts], True),
        lengths=torch.tensor([len(text) for text in texts]),
    )


if __name__ == "__main__":
    typer.run(main)
