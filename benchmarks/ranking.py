"""Ranking 5,000 pictures × 25,000 captions against the bare matrix product.

Run: ``python benchmarks/ranking.py``

The embeddings are clustered as real ones are: captions lie around their picture, pictures around a
few hundred themes. Both are timed in turns in one run, so that whatever else the machine does
strikes both; the ratio is of the best times. Memory is the peak of the whole process, Python and
torch included, when it has ranked; the scores of the bare product alone hold another 500 MB.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from polyglance.evaluation.metrics import metrics
from polyglance.evaluation.ranks import rank_embeddings

PICTURES, CAPTIONS_EACH, DIMENSION, THEMES, ROUNDS = 5_000, 5, 512, 300, 20


def main() -> None:
    """Print both times, their ratio, and the memory."""
    print(f"{PICTURES:,} pictures × {PICTURES * CAPTIONS_EACH:,} captions × {DIMENSION}, both ways")
    print(measure())


def measure() -> dict[str, Any]:
    """Seconds and megabytes; the process should be a fresh one."""
    pictures, captions = embeddings()
    picture_ids = torch.arange(PICTURES).numpy()
    caption_ids = picture_ids.repeat(CAPTIONS_EACH)

    both = rank_embeddings(pictures, captions, row_ids=picture_ids, column_ids=caption_ids)
    memory = peak_megabytes()  # before the bare product makes room for its scores
    found = metrics(both.columns)

    scores = torch.empty(PICTURES, len(captions))
    product = ranked = float("inf")
    for _ in range(ROUNDS):
        product = min(product, seconds(lambda: torch.mm(pictures, captions.T, out=scores)))
        ranked = min(
            ranked,
            seconds(
                lambda: rank_embeddings(
                    pictures, captions, row_ids=picture_ids, column_ids=caption_ids
                )
            ),
        )
    return {
        "recall_at_10": round(found.recall_at_10, 1),
        "product_s": round(product, 3),
        "ranks_s": round(ranked, 3),
        "ratio": round(ranked / product, 3),
        "peak_mb": round(memory),
    }


def embeddings() -> tuple[Tensor, Tensor]:
    """(pictures, dim) and (captions, dim), unit rows."""
    generator = torch.Generator().manual_seed(0)

    def noise(rows: int, size: float) -> Tensor:  # vectors of length about `size`
        vectors = torch.randn(rows, DIMENSION, generator=generator)
        return torch.mul(vectors, size / DIMENSION**0.5)

    themes = noise(THEMES, 1.0)
    chosen = torch.randint(THEMES, (PICTURES,), generator=generator)
    pictures = themes[chosen] + noise(PICTURES, 0.8)
    captions = pictures.repeat_interleave(CAPTIONS_EACH, dim=0)
    captions = captions + noise(len(captions), 10.0)
    return functional.normalize(pictures, dim=1), functional.normalize(captions, dim=1)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
