"""Searching collections of millions: latency, memory, and recall against exact search by language.

    python benchmarks/search.py COLLECTION MANIFEST [--rows 1000000 --rows 5000000]

COLLECTION is one of real photos, made by ``polyglance index``; its embeddings are resampled to as
many as asked for (see ``resampled.py``). Asked are captions of MANIFEST in all its languages,
through the model that filled the collection. A fresh process opens each large collection and asks,
so that the memory told is that of searching alone. Then a hundredth of the rows is added and
another is deleted, and searched before and after the index has been brought up to date.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from polyglance.data.manifest import read_manifest
from polyglance.search.collection import Collection
from polyglance.search.nearest import Neighbours
from polyglance.search.recall import captions_of, measure_recall
from polyglance.search.schema import Stored, picture_id
from polyglance.search.writer import Writer, open_for_writing
from resampled import Resampled, Vectors

QUERIES = 50  # of each language
MOST_IN_MEMORY = 4 << 30  # bytes of embeddings that exact search is timed on


def main(
    collection: Annotated[Path, typer.Argument(help="Of real photos.")],
    manifest: Annotated[Path, typer.Argument(help="Whose captions are asked.")],
    rows: Annotated[list[int] | None, typer.Option(help="May be repeated.")] = None,
) -> None:
    """Print what each size came to."""
    for size in rows or [1_000_000]:
        for name, value in measure(collection, manifest, rows=size).items():
            print(f"{name:>28}  {value}", flush=True)


def measure(collection: Path, manifest: Path, *, rows: int) -> dict[str, Any]:
    """Build a collection of so many rows, and search it: seconds, milliseconds, megabytes."""
    source = Collection.open(collection)
    made = Resampled(embeddings_of(source))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "collection"
        filled = fill(folder, source, made, rows)
        asked = in_a_process(_asked, folder, manifest)
        changed = _changed(folder, source, made, rows)
        stale = in_a_process(_asked, folder, manifest)
        with opened_for_writing(folder, source) as writer:
            refreshing = _seconds(writer.tidy)
        fresh = in_a_process(_asked, folder, manifest)
    return {
        "rows": rows,
        "dimension": source.info.dimension,
        "nearest_cosine": round(float(np.median(made.likeness)), 3),
        **filled,
        **asked,
        "changing_s": changed,
        "changed": {key: stale[key] for key in ("recall", "p50_ms", "p95_ms")},
        "refreshing_s": refreshing,
        "refreshed": {key: fresh[key] for key in ("recall", "p50_ms", "p95_ms")},
    }


@dataclass(slots=True)
class _Model:
    """The model that a collection wants to be filled by."""

    name: str
    fingerprint: str
    dimension: int


def embeddings_of(collection: Collection) -> Vectors:
    """(pictures, dimension) of a collection of photos."""
    parts = [
        batch.column("embedding").flatten().to_numpy().reshape(len(batch), -1)
        for batch in collection.batches(["embedding"])
    ]
    return np.concatenate(parts)


def opened_for_writing(folder: Path, source: Collection) -> Any:
    """A collection like ``source``, by the model that filled it."""
    info = source.info
    model = _Model(info.model, info.fingerprint, info.dimension)
    return open_for_writing(folder, model=model, root=folder.parent)


def fill(folder: Path, source: Collection, made: Resampled, rows: int) -> dict[str, float]:
    """Make a collection of so many rows; what it cost."""
    with opened_for_writing(folder, source) as writer:
        writing = _seconds(lambda: write(writer, made.chunks(rows), first=0))
        indexing = _seconds(writer.tidy)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return {"writing_s": writing, "indexing_s": indexing, "disk_mb": round(size / 1e6)}


def _changed(folder: Path, source: Collection, made: Resampled, rows: int) -> float:
    """A hundredth of the rows more, and the first hundredth gone; the seconds that it took."""
    few = rows // 100
    with opened_for_writing(folder, source) as writer:

        def change() -> None:
            write(writer, made.chunks(few), first=rows)
            writer.remove_pictures([picture_id(_path(number)) for number in range(few)])

        return _seconds(change)


def write(writer: Writer, chunks: Iterable[Vectors], *, first: int) -> None:
    """Write rows, a chunk a commit, numbered from ``first`` on."""
    for chunk in chunks:
        writer.upsert([_row(first + number, vector) for number, vector in enumerate(chunk)])
        first += len(chunk)


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
    return f"{number // 1000:05}/{number:08}.jpg"


def in_a_process(function: Any, *given: Any) -> Any:
    """What a function comes to in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *given).result()


def _asked(folder: Path, manifest: Path) -> dict[str, Any]:
    """Latency, memory and recall of a collection that this process has not seen before."""
    from polyglance.search.opening import open_searcher

    encoder = open_searcher(folder).encoder
    captions = captions_of(read_manifest(manifest), most=QUERIES)
    started = time.perf_counter()
    encoder.encode_texts([captions[next(iter(captions))][0]])
    loading, before = time.perf_counter() - started, resident_mb()
    opened = Collection.open(folder)
    neighbours = Neighbours(opened)
    for texts in captions.values():
        neighbours.nearest(encoder.encode_texts(texts[:1])[0], top=10)
    searching = resident_mb() - before  # comparing with exact search takes more
    found = measure_recall(opened, encoder, captions)
    return {
        "queries": found.total.queries,
        "p50_ms": round(found.total.search[0], 2),
        "p95_ms": round(found.total.search[1], 2),
        "whole_p50_ms": round(found.total.whole[0], 2),
        "whole_p95_ms": round(found.total.whole[1], 2),
        "recall": {tag: round(each.recall, 4) for tag, each in found.languages.items()},
        "encoder_s": round(loading, 2),
        "searching_mb": round(searching),
        "exact_ms": _exact_ms(opened),
    }


def _exact_ms(collection: Collection) -> float | None:
    """Median of a product with all embeddings in memory, or ``None`` where they are too many."""
    if len(collection) * collection.info.dimension * 4 > MOST_IN_MEMORY:
        return None
    vectors = embeddings_of(collection)
    query = vectors[0]
    times = [_seconds(lambda: np.argpartition(-(vectors @ query), 9)) for _ in range(11)]
    return round(1e3 * float(np.median(times)), 1)


def resident_mb() -> float:
    """Megabytes that this process holds; the most that it has held, where nobody tells."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) / 1024
    return peak_mb()


def peak_mb() -> float:
    """The most megabytes that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return round(time.perf_counter() - started, 3)


if __name__ == "__main__":
    typer.run(main)
