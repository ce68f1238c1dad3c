"""From nothing running to the first answer: `polyglance search` over 10,000 pictures.

    python benchmarks/first_answer.py COLLECTION [--pictures 10000] [--runs 5]

COLLECTION is one of real photos, made by ``polyglance index``; its embeddings are resampled to as
many as asked for (see ``resampled.py``). Each run is a process of its own, which starts Python,
loads the model, opens the collection, and prints ten hits. What the system has read before it keeps
in memory: files come from there, not from the disk.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from polyglance.search.calibration import keep_calibration
from polyglance.search.collection import Collection
from polyglance.search.opening import open_searcher
from resampled import Resampled
from search import embeddings_of, fill

QUERY = ("ein Hund im Schnee", "--language", "de")


def main(
    collection: Annotated[Path, typer.Argument(help="Of real photos.")],
    pictures: Annotated[int, typer.Option(min=1)] = 10_000,
    runs: Annotated[int, typer.Option(min=1)] = 5,
) -> None:
    """Print the median, the fastest and the slowest run, in seconds."""
    print(measure(collection, pictures=pictures, runs=runs))


def measure(collection: Path, *, pictures: int = 10_000, runs: int = 5) -> dict[str, Any]:
    """Seconds of whole processes; the first, which fills the system's memory, is not told."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "collection"
        source = Collection.open(collection)
        fill(folder, source, Resampled(embeddings_of(source)), pictures)
        _calibrate(folder)
        command = [sys.executable, "-m", "polyglance", "search", *QUERY]
        command += ["--collection", str(folder)]
        times = [_seconds(command) for _ in range(runs + 1)][1:]
    return {
        "pictures": pictures,
        "median_s": round(statistics.median(times), 3),
        "fastest_s": round(min(times), 3),
        "slowest_s": round(max(times), 3),
    }


def _calibrate(folder: Path) -> None:
    """What indexing leaves beside the embeddings, so that no search has to work it out."""
    searcher = open_searcher(folder)
    keep_calibration(
        folder,
        searcher.collection,
        lambda texts, languages: searcher.encoder.encode_texts(texts, language=languages),
        changed=True,
    )


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    typer.run(main)
