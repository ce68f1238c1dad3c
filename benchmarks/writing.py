"""What the process that writes a collection holds in memory, from ten thousand rows to a million.

    python benchmarks/writing.py COLLECTION [--rows 1000000]

COLLECTION is one of real photos; its embeddings are resampled (see ``resampled.py``) and written by
a process of its own, without a model, commit by commit, tidied at the end as indexing does.
"""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from polyglance.search.collection import Collection
from resampled import Resampled
from search import embeddings_of, in_a_process, opened_for_writing, peak_mb, resident_mb, write

COMMIT = 4096  # rows
# The most that was held until so many rows were written is told, and of all in the end.
UP_TO = (10_000, 100_000, 250_000, 500_000, 1_000_000)


def main(
    collection: Annotated[Path, typer.Argument(help="Of real photos.")],
    rows: Annotated[int, typer.Option(min=1)] = 1_000_000,
) -> None:
    """Print what was held."""
    for name, value in measure(collection, rows=rows).items():
        print(f"{name:>16}  {value}", flush=True)


def measure(collection: Path, *, rows: int = 1_000_000) -> dict[str, Any]:
    """Write so many rows; megabytes beyond what the process held before it wrote any."""
    return dict(in_a_process(_measured, collection, rows))


def _measured(collection: Path, rows: int) -> dict[str, Any]:
    source = Collection.open(collection)
    made = Resampled(embeddings_of(source))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "collection"
        with opened_for_writing(folder, source) as writer:
            write(writer, made.chunks(COMMIT), first=rows)  # all that is loaded once is loaded
            gc.collect()
            before, most, written = resident_mb(), 0.0, 0
            held: dict[int, float] = {}
            for chunk in made.chunks(rows, at_once=COMMIT):
                write(writer, [chunk], first=written)
                written += len(chunk)
                most = max(most, resident_mb() - before)
                for up_to in (*UP_TO, rows):
                    if written >= up_to:
                        held.setdefault(up_to, most)
            writer.tidy()
        return {
            "rows": rows,
            "commit": COMMIT,
            "before_mb": round(before),
            "held_mb": {str(up_to): round(most) for up_to, most in held.items()},
            "peak_mb": round(peak_mb()),
        }


if __name__ == "__main__":
    typer.run(main)
