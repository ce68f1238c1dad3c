"""Progress of long work: a bar with rate and time left on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def track(what: str, total: int, *, show: bool = True) -> Iterator[Callable[[int], None]]:
    """Show the progress of ``total`` things called ``what``; yields ``advance(count)``."""
    if not show:
        yield lambda _count: None
    elif sys.stderr.isatty():
        with _bar(what, total) as advance:
            yield advance
    else:
        yield _lines(what, total)


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}/s"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total, rate="–")

        def advance(count: int) -> None:
            progress.advance(task, count)
            done = progress.tasks[task].completed
            progress.update(task, rate=f"{done / (time.monotonic() - started):.0f}")

        yield advance


def _lines(what: str, total: int) -> Callable[[int], None]:
    started = spoken = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal done, spoken
        done += count
        now = time.monotonic()
        if now - spoken >= SECONDS_BETWEEN_LINES:
            spoken = now
            rate = done / (now - started)
            left = (total - done) / rate if rate else float("inf")
            print(
                f"{what}: {done}/{total}, {rate:.0f}/s, {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )

    return advance
