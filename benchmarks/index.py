"""Indexing against the bare forward pass of its image tower, in turns, in one run.

    python benchmarks/index.py [FOLDER] [--model mini] [--images 512] [--rounds 3]

FOLDER holds pictures; without it the photos of the folder that POLYGLANCE_FLICKR8K names. The bare
forward encodes one batch of decoded pictures again and again; indexing scans, reads, digests,
decodes, encodes and writes. The ratio of their images/s is what counts: 1 would be no overhead.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from polyglance.data.decode import open_picture
from polyglance.retriever import Retriever
from polyglance.search.indexer import index
from polyglance.search.scan import scan

BATCH = 32


def main(
    folder: Annotated[Path | None, typer.Argument(help="Pictures.")] = None,
    model: Annotated[str, typer.Option(help="Built-in model or checkpoint folder.")] = "mini",
    images: Annotated[int, typer.Option(min=BATCH, help="How many of them.")] = 512,
    rounds: Annotated[int, typer.Option(min=1, help="How often both are measured.")] = 3,
) -> None:
    """Print images/s of both, and their ratio, round by round."""
    source = folder or _photos()
    retriever = Retriever.load(model)
    with tempfile.TemporaryDirectory() as scratch:
        pictures = _linked(source, Path(scratch) / "pictures", images)
        _bare(retriever, pictures, BATCH)  # warm up
        ratios = []
        for number in range(rounds):
            bare = _bare(retriever, pictures, images)
            summary = index(pictures, Path(scratch) / f"collection{number}", encoder=retriever)
            ratios.append(summary.images_per_second / bare)
            print(
                f"bare forward {bare:6.1f} images/s, index {summary.images_per_second:6.1f} "
                f"images/s, ratio {ratios[-1]:.2f}",
                flush=True,
            )
    print(f"index / bare forward: {statistics.median(ratios):.2f} (median of {rounds} rounds)")


def _photos() -> Path:
    named = os.environ.get("POLYGLANCE_FLICKR8K")
    if not named:
        raise SystemExit("name a folder with pictures, or set POLYGLANCE_FLICKR8K")
    return Path(named) / "images"


def _linked(source: Path, target: Path, count: int) -> Path:
    """A folder with links to the first ``count`` pictures of ``source``."""
    target.mkdir()
    found = scan(source)
    for number, file in enumerate(found.pictures[:count]):
        link = target / f"{number:06}{Path(file.path).suffix}"
        link.symlink_to(found.root / file.path)
    return target


def _bare(retriever: Retriever, pictures: Path, images: int) -> float:
    """Images/s of the encoder alone, on one batch of pixels that are in memory."""
    preprocessing = retriever.preprocessing
    files = sorted(pictures.iterdir())[:BATCH]
    pixels = np.stack([preprocessing(open_picture(file)) for file in files])  # (batch, 3, s, s)
    batches = images // BATCH
    started = time.perf_counter()
    for _ in range(batches):
        retriever.encode_pixels(pixels)
    return batches * len(pixels) / (time.perf_counter() - started)


if __name__ == "__main__":
    typer.run(main)
