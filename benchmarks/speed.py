"""Runs what tells how fast Polyglance is, and writes `docs/results/speed.md`.

    python benchmarks/speed.py [--only indexing --only ranking ...] [--write-only]

Each part is measured in a process of its own, one after another, and what it came to replaces what
stood in `docs/results/speed.json`; the page is written from that file alone. Needs
POLYGLANCE_FLICKR8K and the towers of `mini`. Leave the machine to it: the load average that each
part found is told. The collection of photos that some parts start from is kept in `runs/speed`.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import typer

from speed_page import PARTS, page

RESULTS = Path(__file__).parents[1] / "docs" / "results"
SCRATCH = Path("runs") / "speed"


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(PARTS)}.")] = None,
    write_only: Annotated[bool, typer.Option(help="Measure nothing.")] = False,
) -> None:
    """Measure, keep what was measured, and write the page."""
    kept = RESULTS / "speed.json"
    found: dict[str, Any] = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    for part in () if write_only else only or PARTS:
        if part not in MEASURES:
            raise SystemExit(f"there is no part {part!r}; there are {', '.join(PARTS)}")
        print(f"measuring {part}", flush=True)
        found[part] = _circumstances() | {"found": _in_a_process(MEASURES[part])}
        kept.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "speed.md").write_text(page(found), encoding="utf-8")
    print(f"wrote {RESULTS / 'speed.md'}")


def _indexing() -> dict[str, Any]:
    from index import measure

    return measure(_flickr8k() / "images")


def _ranking() -> dict[str, Any]:
    from ranking import measure

    return measure()


def _cluster() -> dict[str, Any]:
    from cluster_indexing import measure

    return measure(_flickr8k() / "images")


def _first_answer() -> dict[str, Any]:
    from first_answer import measure

    return measure(_photos())


def _writing() -> dict[str, Any]:
    from writing import measure

    return measure(_photos())


def _serving() -> dict[str, Any]:
    from serve_load import loaded

    return loaded(pictures=3000, clients=16, seconds=300)


def _million() -> dict[str, Any]:
    from search import measure

    return measure(_photos(), _flickr8k() / "val.jsonl", rows=1_000_000)


def _five_million() -> dict[str, Any]:
    from search import measure

    return measure(_photos(), _flickr8k() / "val.jsonl", rows=5_000_000)


MEASURES: dict[str, Callable[[], dict[str, Any]]] = {
    "indexing": _indexing,
    "cluster": _cluster,
    "ranking": _ranking,
    "first answer": _first_answer,
    "serving": _serving,
    "writing": _writing,
    "a million": _million,
    "five million": _five_million,
}


def _photos() -> Path:
    """A collection of all photos of Flickr8k that are there, made once."""
    from polyglance.retriever import Retriever
    from polyglance.search.indexer import index

    folder = SCRATCH / "photos"
    index(_flickr8k() / "images", folder, encoder=Retriever.load("mini"), show_progress=True)
    return folder


def _flickr8k() -> Path:
    named = os.environ.get("POLYGLANCE_FLICKR8K")
    if not named:
        raise SystemExit("set POLYGLANCE_FLICKR8K to the folder with images/ and val.jsonl")
    return Path(named)


def _circumstances() -> dict[str, Any]:
    return {
        "day": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    """The processor's name where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text("utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _in_a_process(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure).result()


if __name__ == "__main__":
    typer.run(main)
