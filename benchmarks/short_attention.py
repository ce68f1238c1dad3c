"""A transformer over captions and regions, with plain and with fused attention, in turns.

    python benchmarks/short_attention.py [--pairs 64] [--length 37] [--layers 2] [--rounds 5]

Both have the same weights and see the same sequences in bfloat16. What is timed is one thread's own
time, on one core, so that whatever else the machine does hardly matters; the ratios count.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from copy import deepcopy
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from polyglance.single_stream.trunk import Trunk, new_trunk
from polyglance.single_stream.word_table import new_word_table


def main(
    pairs: Annotated[int, typer.Option(min=1, help="Sequences at once.")] = 64,
    length: Annotated[int, typer.Option(min=1, help="Words and regions of each.")] = 37,
    width: Annotated[int, typer.Option(min=64, help="Of the transformer, 64 a head.")] = 256,
    layers: Annotated[int, typer.Option(min=1, help="How many.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 5,
) -> None:
    """Print milliseconds and the ratio of both, for training and for scoring."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    plain = new_trunk(
        words=new_word_table(vocabulary_size=1, width=width),
        layers=layers,
        heads=width // 64,
        max_length=length,
        attention_dropout=0.0,
    )
    fused = _fused(plain)
    states = torch.randn(pairs, length, width)
    mask = torch.ones(pairs, length, dtype=torch.bool)
    mask[::2, length // 3 : length // 2] = False
    for what, work in (("training", _train), ("scoring", _score)):
        times: dict[str, list[float]] = {"plain": [], "fused": []}
        for _ in range(rounds):
            times["fused"].append(_seconds(work, fused, states, mask))
            times["plain"].append(_seconds(work, plain, states, mask))
        one, other = (statistics.median(times[name]) for name in ("plain", "fused"))
        print(
            f"{what}: plain {one * 1e3:.0f} ms, fused {other * 1e3:.0f} ms, "
            f"{other / one:.2f}× as fast (medians of {rounds} rounds)",
            flush=True,
        )


def _fused(trunk: Trunk) -> Trunk:
    """The same weights under torch's own attention."""
    copy = deepcopy(trunk)
    for module in copy.layers.modules():
        config: Any = getattr(module, "config", None)
        if config is not None:
            config._attn_implementation = "sdpa"
    return copy


def _train(trunk: Trunk, states: Tensor, mask: Tensor) -> None:
    trunk.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = trunk(states, mask)
    found[:, 0].float().sum().backward()


def _score(trunk: Trunk, states: Tensor, mask: Tensor) -> None:
    trunk.eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        trunk(states, mask)


def _seconds(
    work: Callable[[Trunk, Tensor, Tensor], None], trunk: Trunk, states: Tensor, mask: Tensor
) -> float:
    """Of this thread on a processor."""
    started = time.thread_time()
    work(trunk, states, mask)
    return time.thread_time() - started


if __name__ == "__main__":
    typer.run(main)
