"""Searching collections of growing size: latency and recall@10 against exact search.

    python benchmarks/search.py [--sizes 10000 --sizes 100000 --sizes 1000000] [--dimension 512]

The vectors are made to resemble embeddings: clusters of uneven size on a subspace of 64 dimensions,
with noise in all of them, so that neighbours exist (among random vectors they do not, and an index
looks worse or better than it is). The queries resemble texts: near a picture, but moved aside by a
vector that all of them share, as the two modalities of a trained model lie apart. Exact search is a
matrix product over all vectors in memory, in the same run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from polyglance.search.collection import Collection
from polyglance.search.nearest import Neighbours
from polyglance.search.schema import Stored, picture_id
from polyglance.search.writer import Writer, open_for_writing

Vectors = NDArray[np.float32]

QUERIES = 200
CLUSTERS, SUBSPACE = 2000, 64
ROWS_PER_COMMIT = 20_000


def main(
    sizes: Annotated[list[int] | None, typer.Option(help="Rows; may be repeated.")] = None,
    dimension: Annotated[int, typer.Option(min=SUBSPACE, help="Of the vectors.")] = 512,
    exact_up_to: Annotated[int | None, typer.Option(help="Default: as searching does.")] = None,
) -> None:
    """Print a line for each size: exact and collection's latency, their ratio, and recall@10."""
    for size in sizes or [10_000, 100_000, 1_000_000]:
        world = World(dimension)
        vectors = world.pictures(size)
        queries = world.texts(vectors)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "collection"
            build_seconds = fill(folder, vectors)
            neighbours = Neighbours(Collection.open(folder))
            if exact_up_to is not None:
                neighbours.exact_up_to = exact_up_to
            report(size, vectors, queries, neighbours, build_seconds)


class World:
    """Where clusters lie, and how far texts are from pictures."""

    def __init__(self, dimension: int) -> None:
        self.random = np.random.default_rng(0)
        self.basis = self._normal(SUBSPACE, dimension) / SUBSPACE**0.5
        self.centres = self._normal(CLUSTERS, SUBSPACE)
        self.shares = self.random.pareto(1.5, CLUSTERS) + 0.1
        self.shares /= self.shares.sum()
        self.gap = self._normal(1, dimension)
        self.gap /= np.linalg.norm(self.gap)

    def pictures(self, count: int) -> Vectors:
        """(count, dimension), unit rows."""
        made = [self._some(min(50_000, count - start)) for start in range(0, count, 50_000)]
        return np.concatenate(made)

    def texts(self, pictures: Vectors) -> Vectors:
        """(QUERIES, dimension), unit rows."""
        meant = pictures[self.random.integers(0, len(pictures), QUERIES)]
        noise = self._normal(*meant.shape) / meant.shape[1] ** 0.5
        return unit(meant + 0.6 * noise + 0.8 * self.gap)

    def _some(self, count: int) -> Vectors:
        cluster = self.random.choice(CLUSTERS, size=count, p=self.shares)
        inner = self.centres[cluster] + 0.7 * self._normal(count, SUBSPACE)
        return unit(inner @ self.basis + 0.3 * self._normal(count, self.basis.shape[1]))

    def _normal(self, *shape: int) -> Vectors:
        return self.random.standard_normal(shape, dtype=np.float32)


@dataclass
class Nobody:
    """The model that a collection wants to be filled by."""

    dimension: int
    name: str = "benchmark"
    fingerprint: str = "0" * 32


def fill(folder: Path, vectors: Vectors) -> float:
    """Write all vectors and build the index; returns the seconds that the latter took."""
    model = Nobody(dimension=vectors.shape[1])
    with open_for_writing(folder, model=model, root=folder.parent) as writer:
        _write(writer, vectors)
        started = time.perf_counter()
        writer.tidy()
        return time.perf_counter() - started


def _write(writer: Writer, vectors: Vectors) -> None:
    for start in range(0, len(vectors), ROWS_PER_COMMIT):
        chunk = vectors[start : start + ROWS_PER_COMMIT]
        writer.upsert([_row(start + i, vector) for i, vector in enumerate(chunk)])


def _row(number: int, vector: Vectors) -> Stored:
    return Stored(
        path=_path(number),
        content=f"{number:032x}",
        size=1,
        mtime_ns=1,
        width=1,
        height=1,
        taken=None,
        captions=None,
        embedding=vector,
    )


def _path(number: int) -> str:
    return f"{number // 1000:04}/{number:07}.jpg"


def report(
    size: int, vectors: Vectors, queries: Vectors, neighbours: Neighbours, build_seconds: float
) -> None:
    """Measure both and print a line."""
    truth = [exact(vectors, query) for query in queries]
    expected = [{picture_id(_path(int(i))) for i in best} for best in truth]
    first = timed(lambda query: neighbours.nearest(query, top=10), queries[:1])
    found = [{each.row["id"] for each in neighbours.nearest(q, top=10)} for q in queries]
    recall = np.mean([len(a & b) / 10 for a, b in zip(found, expected, strict=True)])
    exact_times = timed(lambda query: exact(vectors, query), queries[:50])
    times = timed(lambda query: neighbours.nearest(query, top=10), queries)
    p50, p95 = np.percentile(times, [50, 95])
    by_exact = np.median(exact_times)
    print(
        f"{size:>9,} vectors: p50 {p50:6.2f} ms, p95 {p95:6.2f} ms, first {first[0]:6.1f} ms, "
        f"exact {by_exact:6.2f} ms, ratio to exact {p50 / by_exact:.2f}, "
        f"recall@10 {recall:.3f}, tidying and index {build_seconds:.1f} s",
        flush=True,
    )


def exact(vectors: Vectors, query: Vectors) -> NDArray[np.intp]:
    """Positions of the ten best."""
    return np.argpartition(-(vectors @ query), 9)[:10]


def timed(function: Callable[[Vectors], Any], queries: Vectors) -> list[float]:
    """Milliseconds of each call."""
    times = []
    for query in queries:
        started = time.perf_counter()
        function(query)
        times.append(1e3 * (time.perf_counter() - started))
    return times


def unit(rows: Vectors) -> Vectors:
    """Rows of unit length."""
    normalised: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normalised


if __name__ == "__main__":
    typer.run(main)
