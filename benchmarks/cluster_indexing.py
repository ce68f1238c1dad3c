"""Indexing by workers of a Ray cluster against threads, in turns, in one run.

    python benchmarks/cluster_indexing.py [FOLDER] [--model mini] [--images 512] [--rounds 3]

FOLDER holds pictures; without it the photos of the folder that POLYGLANCE_FLICKR8K names. Without
an address the cluster is one of this machine's processors, begun before anything is measured; with
one, pictures and the scratch folder must lie on storage that its machines share. Workers and
threads are as many. Loading the model in every worker takes seconds, once a run; they are told
apart.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer

from index import linked, photos
from polyglance.retriever import Retriever
from polyglance.search.cluster.connection import connected
from polyglance.search.cluster.engine import RayEngine
from polyglance.search.engine import Engine, Threads
from polyglance.search.indexer import index

WORKERS = (1, 2)


def main(
    folder: Annotated[Path | None, typer.Argument(help="Pictures.")] = None,
    model: Annotated[str, typer.Option(help="Built-in model or checkpoint folder.")] = "mini",
    images: Annotated[int, typer.Option(min=1, help="How many of them.")] = 512,
    rounds: Annotated[int, typer.Option(min=1, help="How often each way is measured.")] = 3,
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster that runs.")] = None,
    scratch: Annotated[Path | None, typer.Option(help="Folder for collections.")] = None,
) -> None:
    """Print images/s of threads and workers, round by round, and the medians of their ratios."""
    source = folder or photos()
    retriever = Retriever.load(model)
    ratios: dict[int, list[float]] = defaultdict(list)
    with (
        connected(address, workers=max(WORKERS)),
        tempfile.TemporaryDirectory(dir=scratch) as place,
    ):
        pictures = linked(source, Path(place) / "pictures", images)
        few = linked(source, Path(place) / "few", 1)
        for number in range(rounds):
            for workers in WORKERS:
                ways: tuple[Engine, ...] = (
                    Threads(workers),
                    RayEngine(address=address, workers=workers),
                )
                begun = _seconds(few, Path(place), retriever, ways[1])
                threads, cluster = (_seconds(pictures, Path(place), retriever, it) for it in ways)
                ratios[workers].append(threads / cluster)
                print(
                    f"round {number + 1}, workers: {workers}; images/s: threads "
                    f"{images / threads:.1f}, cluster {images / cluster:.1f}, "
                    f"{images / max(cluster - begun, 1e-9):.1f} once models are loaded "
                    f"({begun:.1f} s)",
                    flush=True,
                )
    for workers, measured in ratios.items():
        print(
            f"cluster / threads with {workers}: {statistics.median(measured):.2f} "
            f"(median of {rounds} rounds)"
        )


def _seconds(pictures: Path, place: Path, retriever: Retriever, engine: Engine) -> float:
    """From the first file read to the last row written, in a collection of its own."""
    with tempfile.TemporaryDirectory(dir=place) as collection:
        started = time.perf_counter()
        index(pictures, Path(collection) / "c", encoder=retriever, engine=engine)
        return time.perf_counter() - started


if __name__ == "__main__":
    typer.run(main)
