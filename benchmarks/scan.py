"""Stacked cross attention against loops: a training step, and scoring a whole test set.

Run: ``python benchmarks/scan.py``

The parts are random unit vectors of SCAN's sizes: 49 regions, captions of 8 to 19 words, 1,024
dimensions. The loss is the maximum of hinges. Two loops stand beside ours, written from the paper's
equations: one that compares a caption with all images at once, as the authors train, in float32;
and one that compares pair by pair, timed over some pairs and multiplied. Memory is the peak of the
whole process, Python and torch included, when the test set has been scored, before a loop runs.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from polyglance.evaluation.encoded import Encoded, compare
from polyglance.features import Features
from polyglance.losses.max_of_hinges import MaxOfHinges
from polyglance.matching.stacked_cross_attention import Direction, StackedCrossAttention
from polyglance.precision import inference_precision

BATCH, REGIONS, DIMENSION, SHORTEST, LONGEST = 128, 49, 1024, 8, 19
IMAGES, CAPTIONS = 1_000, 5_000
ROUNDS, PAIRS = 5, 500
INVERSE_TEMPERATURE: dict[Direction, float] = {"text-to-image": 9.0, "image-to-text": 4.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--direction", choices=list(INVERSE_TEMPERATURE), default="text-to-image")
    direction: Direction = parser.parse_args().direction
    ours = StackedCrossAttention(
        direction=direction, inverse_temperature=INVERSE_TEMPERATURE[direction]
    )
    print(f"{direction}, mean; {REGIONS} regions, {SHORTEST}–{LONGEST} words, {DIMENSION} dim")

    with torch.inference_mode(), inference_precision():
        scoring = seconds(lambda: score_test_set(ours))
    memory = peak_megabytes()
    images, texts = training_batch()
    step = min(seconds(lambda: training_step(ours, images, texts)) for _ in range(ROUNDS))
    looped = seconds(lambda: training_step(CaptionLoop(direction), images, texts))
    print(f"training step, {BATCH} × {BATCH} pairs: {report(step, looped, 'caption by caption')}")
    with torch.inference_mode():
        pair = seconds(lambda: pair_by_pair(direction, images, texts)) / PAIRS
    looped = pair * IMAGES * CAPTIONS
    print(f"scoring {IMAGES:,} × {CAPTIONS:,} pairs: {report(scoring, looped, 'pair by pair')}")
    print(f"peak memory of scoring {memory:.0f} MB")


def report(ours: float, loop: float, how: str) -> str:
    return f"{ours:.3f} s, {how} {loop:.1f} s, ratio {loop / ours:.1f}"


def training_batch() -> tuple[Features, Features]:
    torch.manual_seed(0)
    lengths = torch.randint(SHORTEST, LONGEST + 1, (BATCH,))
    images, texts = random_images(BATCH), random_texts(lengths)
    for side in (images, texts):
        parts(side)[0].requires_grad_()
    return images, texts


def random_images(count: int) -> Features:
    tokens = functional.normalize(torch.randn(count, REGIONS, DIMENSION), dim=-1)
    return Features(tokens[:, 0].clone(), tokens, torch.ones(count, REGIONS, dtype=torch.bool))


def random_texts(lengths: Tensor) -> Features:
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    tokens = functional.normalize(torch.randn(*mask.shape, DIMENSION), dim=-1)
    return Features(tokens[:, 0].clone(), tokens * mask[..., None], mask)


def training_step(
    score: Callable[[Features, Features], Tensor], images: Features, texts: Features
) -> None:
    """Scores, the hardest negatives, and gradients of all parts."""
    positives = torch.eye(BATCH, dtype=torch.bool)
    loops = isinstance(score, CaptionLoop)
    with torch.autocast("cpu", enabled=False) if loops else inference_precision():
        scores = score(images, texts)
    terms: dict[str, Tensor] = MaxOfHinges()(scores, positives)
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]


def score_test_set(ours: StackedCrossAttention) -> None:
    """As validation scores: batches of features of like length, tokens in bfloat16."""
    images, texts = Encoded(ours), Encoded(ours)
    for _ in range(IMAGES // BATCH):
        images.add(random_images(BATCH))
    images.add(random_images(IMAGES % BATCH))
    lengths = torch.randint(SHORTEST, LONGEST + 1, (CAPTIONS,)).sort(descending=True).values
    for some in torch.split(lengths, BATCH):
        texts.add(random_texts(some))
    compare(ours, images, texts)


class CaptionLoop:
    """Every caption against all images at once, the attended context formed."""

    def __init__(self, direction: Direction) -> None:
        self.direction = direction

    def __call__(self, images: Features, texts: Features) -> Tensor:
        """(images, texts) scores."""
        regions = parts(images)[0]
        columns = [
            attend(self.direction, regions, words.expand(len(images), -1, -1))
            for words in captions(texts)
        ]
        return torch.stack(columns, dim=1)  # (images, texts)


def pair_by_pair(direction: Direction, images: Features, texts: Features) -> None:
    """The first ``PAIRS`` pairs, one after the other."""
    regions, words = parts(images)[0], captions(texts)
    for pair in range(PAIRS):
        float(attend(direction, regions[pair // BATCH][None], words[pair % BATCH][None]))


def captions(texts: Features) -> list[Tensor]:
    """(words, dim) each."""
    return [words[there] for words, there in zip(*parts(texts), strict=True)]


def parts(features: Features) -> tuple[Tensor, Tensor]:
    """(batch, length, dim) and (batch, length)."""
    if features.tokens is None or features.mask is None:
        raise ValueError("these features have no parts")
    return features.tokens, features.mask


def attend(direction: Direction, regions: Tensor, words: Tensor) -> Tensor:
    """(pairs, regions, dim), (pairs, words, dim) → (pairs,), by the paper's equations 1 to 5."""
    query, context = (words, regions) if direction == "text-to-image" else (regions, words)
    attention = functional.leaky_relu(query @ context.mT, 0.1)  # (pairs, queries, contexts)
    attention = functional.normalize(attention, dim=1)
    weights = (INVERSE_TEMPERATURE[direction] * attention).softmax(dim=2)
    return functional.cosine_similarity(query, weights @ context, dim=-1).mean(dim=1)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
