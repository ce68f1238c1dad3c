"""Indexing against the bare forward pass of its image tower, in turns, in one run.

    python benchmarks/index.py [FOLDER] [--model mini] [--images 512] [--rounds 3]

FOLDER holds pictures; without it the photos of the folder that POLYGLANCE_FLICKR8K names. The bare
forward encodes one batch of decoded pictures again and again, in the two ways that there are: one
batch at a time, split over the cores, as torch does by itself; and a batch a core. Indexing scans,
reads, digests, decodes, encodes and writes. The ratios of images/s count: 1 would be no overhead.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from polyglance.data.decode import open_picture
from polyglance.retriever import Retriever
from polyglance.search.indexer import index
from polyglance.search.parallel import in_order
from polyglance.search.scan import scan

BATCH = 16


def main(
    folder: Annotated[Path | None, typer.Argument(help="Pictures.")] = None,
    model: Annotated[str, typer.Option(help="Built-in model or checkpoint folder.")] = "mini",
    images: Annotated[int, typer.Option(min=BATCH, help="How many of them.")] = 512,
    rounds: Annotated[int, typer.Option(min=1, help="How often both are measured.")] = 3,
) -> None:
    """Print images/s of both, and their ratios."""
    print(measure(folder or photos(), model=model, images=images, rounds=rounds))


def measure(
    folder: Path, *, model: str = "mini", images: int = 512, rounds: int = 3
) -> dict[str, Any]:
    """Images/s round by round, and the medians of the rounds' ratios."""
    retriever = Retriever.load(model)
    rates: dict[str, list[float]] = {"split": [], "batch_a_core": [], "index": []}
    with tempfile.TemporaryDirectory() as scratch:
        pictures = linked(folder, Path(scratch) / "pictures", images)
        batches = _batches(retriever, pictures, images)
        retriever.encode_pixels(batches[0])  # warm up
        for number in range(rounds):
            rates["split"].append(
                _rate(images, lambda: [retriever.encode_pixels(batch) for batch in batches])
            )
            rates["batch_a_core"].append(
                _rate(images, lambda: list(in_order(retriever.encode_pixels, batches)))
            )
            summary = index(pictures, Path(scratch) / f"collection{number}", encoder=retriever)
            rates["index"].append(summary.images_per_second)
    ratios = {
        f"index_by_{way}": statistics.median(
            indexed / bare for indexed, bare in zip(rates["index"], rates[way], strict=True)
        )
        for way in ("split", "batch_a_core")
    }
    return {
        "images": images,
        **{name: [round(rate, 1) for rate in each] for name, each in rates.items()},
        **{name: round(ratio, 3) for name, ratio in ratios.items()},
    }


def photos() -> Path:
    """Where the photos are that nobody has named."""
    named = os.environ.get("POLYGLANCE_FLICKR8K")
    if not named:
        raise SystemExit("name a folder with pictures, or set POLYGLANCE_FLICKR8K")
    return Path(named) / "images"


def linked(source: Path, target: Path, count: int) -> Path:
    """A folder with links to the first ``count`` pictures of ``source``."""
    target.mkdir()
    found = scan(source)
    for number, file in enumerate(found.pictures[:count]):
        link = target / f"{number:06}{Path(file.path).suffix}"
        link.symlink_to(found.root / file.path)
    return target


def _batches(retriever: Retriever, pictures: Path, images: int) -> list[NDArray[np.uint8]]:
    """Pixels (batch, 3, size, size) that are in memory, the same for every batch."""
    preprocessing = retriever.preprocessing
    files = sorted(pictures.iterdir())[:BATCH]
    pixels = np.stack([preprocessing(open_picture(file)) for file in files])
    return [pixels] * (images // BATCH)


def _rate(images: int, work: Callable[[], object]) -> float:
    """Images/s."""
    started = time.perf_counter()
    work()
    return images / (time.perf_counter() - started)


if __name__ == "__main__":
    typer.run(main)
