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
from pathlib import Path
from typing import Annotated, Any

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
    found = measure(
        folder or photos(),
        model=model,
        images=images,
        rounds=rounds,
        address=address,
        scratch=scratch,
    )
    for each in found["rounds"]:
        print(each)
    for workers, ratio in found["cluster_by_threads"].items():
        print(f"cluster / threads with {workers}: {ratio:.2f} (median of {rounds} rounds)")


def measure(
    folder: Path,
    *,
    model: str = "mini",
    images: int = 512,
    rounds: int = 3,
    address: str | None = None,
    scratch: Path | None = None,
) -> dict[str, Any]:
    """Images/s of threads, of workers, and of workers once their models are loaded."""
    retriever = Retriever.load(model)
    found: list[dict[str, float]] = []
    with (
        connected(address, workers=max(WORKERS)),
        tempfile.TemporaryDirectory(dir=scratch) as place,
    ):
        pictures = linked(folder, Path(place) / "pictures", images)
        few = linked(folder, Path(place) / "few", 1)
        for _ in range(rounds):
            for workers in WORKERS:
                ways: tuple[Engine, ...] = (
                    Threads(workers),
                    RayEngine(address=address, workers=workers),
                )
                loading = _seconds(few, Path(place), retriever, ways[1])
                threads, cluster = (_seconds(pictures, Path(place), retriever, it) for it in ways)
                found.append(
                    {
                        "workers": workers,
                        "threads": round(images / threads, 1),
                        "cluster": round(images / cluster, 1),
                        "loaded": round(images / max(cluster - loading, 1e-9), 1),
                        "loading_s": round(loading, 1),
                    }
                )
    return {
        "images": images,
        "rounds": found,
        "cluster_by_threads": {
            workers: round(
                statistics.median(
                    each["cluster"] / each["threads"]
                    for each in found
                    if each["workers"] == workers
                ),
                2,
            )
            for workers in WORKERS
        },
    }


def _seconds(pictures: Path, place: Path, retriever: Retriever, engine: Engine) -> float:
    """From the first file read to the last row written, in a collection of its own."""
    with tempfile.TemporaryDirectory(dir=place) as collection:
        started = time.perf_counter()
        index(pictures, Path(collection) / "c", encoder=retriever, engine=engine)
        return time.perf_counter() - started


if __name__ == "__main__":
    typer.run(main)
