"""The web page over a collection of 10,000 pictures: how soon a browser shows what was asked for.

    python benchmarks/page.py COLLECTION [--pictures 10000] [--rounds 3]

COLLECTION is one of real photos, made by ``polyglance index``. Its pictures are repeated, each time
as a file of its own with an embedding moved a little, until there are enough; a thumbnail of each
is decoded anew. Server and headless Chromium run on this machine and share its cores; the server
is warm, the queries, in eight languages, are new to it. A query begins when Enter is pressed, and

- *hits* are there when the new grid is in the page and laid out,
- the *first picture* when the first thumbnail is decoded and the next frame is drawn,
- the *screen* when this holds for every thumbnail that can be seen (1200 × 800 pixels).

Where other programs keep the cores busy, which the load average tells, the clock says little: hence
the processor time until the hits are there, of the server (Python, all threads), of the browser's
page, and of its drawing, which headless Chromium does without a graphics card. Linux only.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from polyglance.search.collection import Collection
from polyglance.search.opening import open_searcher
from polyglance.search.schema import Stored
from polyglance.search.searcher import Searcher
from polyglance.search.writer import open_for_writing
from polyglance.serve.app import create_app
from support.browser import chromium, launched, served  # type: ignore[import-not-found]

QUERIES = [
    ("a dog runs through snow", "en"),
    ("ein Kind auf einer Schaukel", "de"),
    ("une femme au bord de la mer", "fr"),
    ("muž na kole", "cs"),
    ("两个人在山上", "zh"),
    ("um cachorro na água", "pt"),
    ("أولاد يلعبون كرة القدم", "ar"),
    ("people at night in a city", ""),
]

BEGIN = """async ([words, language]) => {
  document.getElementById("q").value = words;
  document.getElementById("language").value = language;
  const swapped = new Promise((done) => {
    const old = document.getElementById("results");
    const watch = new MutationObserver(() => {
      if (old.isConnected || !document.querySelector("#results .tile")) return;
      watch.disconnect();
      done();
    });
    watch.observe(document.body, { childList: true, subtree: true });
  });
  window.begun = performance.now();
  document.getElementById("search").requestSubmit();
  await swapped;
  const onScreen = (each) => each.getBoundingClientRect().top < innerHeight;
  window.seen = [...document.querySelectorAll(".tile img")].filter(onScreen);
  return performance.now() - begun;
}"""
DRAWN = """async (first) => {
  await Promise.all((first ? seen.slice(0, 1) : seen).map((each) => each.decode()));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - begun;
}"""
MARKS = ("hits", "first picture", "screen")
SERVER = "server"
# What stands in a process's command line → what it does.
KINDS = {SERVER: "server", "--type=renderer": "page", "--type=gpu-process": "drawing"}


def main(
    collection: Annotated[Path, typer.Argument(help="Of real photos.")],
    pictures: Annotated[int, typer.Option(min=1)] = 10_000,
    rounds: Annotated[int, typer.Option(min=1, help="Times that every query is asked.")] = 3,
) -> None:
    """Print median (and 95th percentile); in the first round no thumbnail is ready."""
    executable = chromium()
    if executable is None:
        raise SystemExit("no chromium here (Debian: apt-get install chromium)")
    searcher = open_searcher(collection)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        repeat(searcher, folder, pictures)
        app = create_app(Collection.open(folder / "collection"), searcher.encoder)
        app.state.searcher.warm_up()
        with served(app) as address, launched(executable) as browser:
            page = browser.new_page(viewport={"width": 1200, "height": 800})
            page.goto(address)
            page.wait_for_load_state("networkidle")
            load = os.getloadavg()[0]
            times = [[ask(page, query) for query in QUERIES] for _ in range(rounds)]
    print(f"{pictures:,} pictures, load average {load:.1f} on {os.cpu_count()} cores")
    report("first time", times[:1])
    report("asked again", times[1:])


def ask(page: Any, query: tuple[str, str]) -> list[float]:
    """Milliseconds by the clock until each mark, then of processor time by each kind of process."""
    before = processor_time()
    clocks = [page.evaluate(BEGIN, query)]
    after = processor_time()
    clocks += [page.evaluate(DRAWN, first) for first in (True, False)]
    return clocks + [1e3 * (after[kind] - before[kind]) for kind in KINDS.values()]


def processor_time() -> dict[str, float]:
    """Seconds that this process and those of the browser below it have worked, by kind."""
    parents, worked = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_text()
        except OSError:  # it has just ended
            continue
        kind = next((told for flag, told in KINDS.items() if flag in command), "others")
        parents[int(folder.name)] = int(fields[1])
        worked[int(folder.name)] = (kind, int(fields[11]) + int(fields[12]))
    own = os.getpid()
    worked[own] = (KINDS[SERVER], worked[own][1])
    family = {own}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    total = dict.fromkeys(KINDS.values(), 0.0)
    for kind, ticks in (worked[pid] for pid in family):
        total[kind] = total.get(kind, 0.0) + ticks / os.sysconf("SC_CLK_TCK")
    return total


def repeat(searcher: Searcher, folder: Path, count: int) -> None:
    """Fill ``folder`` with that many files, and with a collection of them."""
    sources = searcher.sample(min(count, searcher.collection.files()))
    random = np.random.default_rng(0)
    with open_for_writing(
        folder / "collection", model=searcher.encoder, root=folder / "photos"
    ) as writer:
        rows = []
        for number in range(count):
            hit = sources[number % len(sources)]
            path = folder / "photos" / f"{number // 1000:03}" / f"{number:06}{hit.path.suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(hit.path, path)
            embedding = np.asarray(searcher.neighbours.embedding(hit.id))
            moved = embedding + 0.3 * random.standard_normal(len(embedding)) / len(embedding) ** 0.5
            status = path.stat()
            rows.append(
                Stored(
                    path=path.relative_to(folder / "photos").as_posix(),
                    content=f"{number:032x}",  # no thumbnail serves for two
                    size=status.st_size,
                    mtime_ns=status.st_mtime_ns,
                    width=hit.width,
                    height=hit.height,
                    taken=hit.taken,
                    captions=hit.captions or None,
                    embedding=np.asarray(moved / np.linalg.norm(moved), dtype=np.float32),
                )
            )
        writer.upsert(rows)
        writer.tidy()


def report(name: str, rounds: list[list[list[float]]]) -> None:
    """Clock and work of queries asked for the first time, or again."""
    if not rounds:
        return
    table = np.array([times for each in rounds for times in each])  # (queries, marks + kinds)
    middle, late = np.percentile(table, [50, 95], axis=0)
    marks = [f"{mark} {middle[i]:.0f} ({late[i]:.0f})" for i, mark in enumerate(MARKS)]
    work = [
        f"{kind} {table[:, len(MARKS) + i].mean():.0f}" for i, kind in enumerate(KINDS.values())
    ]
    print(f"{name}: {', '.join(marks)} ms; worked until hits: {', '.join(work)} ms")


if __name__ == "__main__":
    typer.run(main)
