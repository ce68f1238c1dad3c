"""Scoring chosen pairs with a cross-encoder: batched by length in bfloat16, against simpler ways.

Run: ``python benchmarks/reranking.py [--layers 4 --width 256 --heads 4 --regions 16]``

A system of paper 1 with untrained weights, which are as fast as trained ones, over stored regions;
captions of 5 to 24 words, 64 candidates each. Beside the reranker, in turns: the same in float32;
batches of the same size as the pairs come, padded to the longest caption of all; and pair by pair,
without padding. Also, encoded once and kept: the pictures' side and the captions', from regions and
from strings; and encoded anew for every pair, as where neither is kept. Medians are printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from unittest.mock import patch

import torch
from torch import Tensor

from polyglance import Reranker, Retriever
from polyglance.features import Features
from polyglance.precision import inference_precision
from polyglance.single_stream.visual_embedding import EmbeddedRegions
from polyglance.systems.builders import build_system
from polyglance.systems.config import (
    FeiConfig,
    PrecomputedConfig,
    SingleStreamConfig,
    TokenizerConfig,
    TrunkConfig,
)
from polyglance.systems.fei import PAIRS_AT_ONCE, Fei

CHANNELS, WORDS, SHORTEST, LONGEST, TOP = 2048, 400, 5, 24, 64
ALONE = 64  # pairs timed one by one


def main() -> None:
    """Build a system, then let all ways take turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (
        ("layers", 4), ("width", 256), ("heads", 4), ("regions", 16), ("queries", 16), ("rounds", 3)
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    torch.manual_seed(0)
    captions = random_captions(asked.queries)
    system = built(asked, captions)
    reranker = Reranker(Retriever(system, name="benchmark", fingerprint=""))
    rows = torch.randn(TOP, asked.regions, CHANNELS).relu()
    images = reranker.encoder.pixel_features(rows.numpy()).halved()
    texts = reranker.encode_texts(captions, language="en")
    pairs = torch.cartesian_prod(torch.arange(TOP), torch.arange(asked.queries))
    pairs = pairs[torch.randperm(len(pairs))]
    ways: dict[str, tuple[int, Callable[[], object]]] = {
        "reranker": (len(pairs), lambda: reranker.score_pairs(images, texts, pairs)),
        "in float32": (len(pairs), lambda: in_float32(reranker, images, texts, pairs)),
        "as they come": (len(pairs), lambda: as_they_come(system, images, texts, pairs)),
        "pair by pair": (ALONE, lambda: pair_by_pair(system, images, texts, pairs)),
        "nothing kept": (
            len(pairs),
            lambda: nothing_kept(reranker, rows, captions, pairs),
        ),
        "pictures": (TOP, lambda: reranker.encoder.pixel_features(rows.numpy())),
        "captions": (len(captions), lambda: reranker.encode_texts(captions, language="en")),
    }
    rates = in_turns(ways, rounds=asked.rounds)
    print(
        f"{asked.layers} layers of width {asked.width}, {asked.regions} regions, captions of "
        f"{SHORTEST}–{LONGEST} words, {len(pairs):,} pairs, {torch.get_num_threads()} threads"
    )
    ours = rates["reranker"]
    print(f"reranker: {ours:,.0f} pairs/s")
    for name in ("in float32", "as they come", "pair by pair", "nothing kept"):
        print(f"{name}: {rates[name]:,.0f} pairs/s, ratio {ours / rates[name]:.1f}")
    print(f"encoded once: {rates['pictures']:,.0f} pictures/s from regions")
    print(f"encoded once: {rates['captions']:,.0f} captions/s")


def built(asked: argparse.Namespace, captions: list[str]) -> Fei:
    """A system of the size that is asked for."""
    trunk = TrunkConfig(
        tokenizer=TokenizerConfig(vocabulary_size=1000, min_frequency=1),
        layers=asked.layers,
        width=asked.width,
        heads=asked.heads,
    )
    config = FeiConfig(
        backbone=PrecomputedConfig(channels=CHANNELS, regions=asked.regions),
        stream=SingleStreamConfig(trunk=trunk, languages=("en",)),
    )
    system = build_system(config, training_texts={"en": captions})
    if not isinstance(system, Fei):
        raise TypeError("the configuration is that of another system")
    return system


def random_captions(count: int) -> list[str]:
    words = [f"word{number}" for number in range(WORDS)]
    lengths = torch.randint(SHORTEST, LONGEST + 1, (count,)).tolist()
    return [" ".join(words[n] for n in torch.randint(WORDS, (length,))) for length in lengths]


def in_float32(reranker: Reranker, images: Features, texts: Features, pairs: Tensor) -> None:
    """The reranker where bfloat16 is not fast."""
    with patch("polyglance.precision.has_fast_bfloat16", lambda: False):
        reranker.score_pairs(images, texts, pairs)


def as_they_come(system: Fei, images: Features, texts: Features, pairs: Tensor) -> None:
    """Batches of the reranker's size, each padded to the longest caption of all."""
    with torch.inference_mode(), inference_precision():
        for some in torch.split(pairs, PAIRS_AT_ONCE):
            pictures, captions = images.rows(some[:, 0]), texts.rows(some[:, 1])
            regions, there = parts(pictures)
            words, mask = parts(captions)
            states = system.stream(words, mask, EmbeddedRegions(regions, pictures.embedding, there))
            system.head(states.first)


def parts(features: Features) -> tuple[Tensor, Tensor]:
    """(batch, length, dim) and (batch, length)."""
    if features.tokens is None or features.mask is None:
        raise ValueError("these features have no parts")
    return features.tokens, features.mask


def pair_by_pair(system: Fei, images: Features, texts: Features, pairs: Tensor) -> None:
    """The first ``ALONE`` pairs, one after the other and without padding."""
    with torch.inference_mode(), inference_precision():
        for pair in torch.split(pairs[:ALONE], 1):
            system.score_pairs(images, texts, pair)


def nothing_kept(reranker: Reranker, rows: Tensor, captions: list[str], pairs: Tensor) -> None:
    """Both sides of every pair encoded for it."""
    for some in torch.split(pairs, PAIRS_AT_ONCE):
        images = reranker.encoder.pixel_features(rows[some[:, 0]].numpy())
        texts = reranker.encode_texts([captions[row] for row in some[:, 1]], language="en")
        same = torch.arange(len(some))
        reranker.score_pairs(images, texts, torch.stack([same, same], dim=1))


def in_turns(ways: dict[str, tuple[int, Callable[[], object]]], *, rounds: int) -> dict[str, float]:
    """Name → things a second, the median of all rounds; a first round warms up."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, (_, work) in ways.items():
            started = time.perf_counter()
            work()
            taken[name].append(time.perf_counter() - started)
    return {name: ways[name][0] / statistics.median(each[1:]) for name, each in taken.items()}


if __name__ == "__main__":
    main()
