"""What several results pages have in common."""

from __future__ import annotations

from collections.abc import Callable

from ledger import Ledger, Logged


def missing(ledger: Ledger, wanted: int) -> str:
    """A sentence, after a space, on how many runs are in; nothing where all are."""
    done = len(list(ledger))
    return f" **{done} of {wanted} runs are in; rows without one say so.**" if done < wanted else ""


def every_run(
    ledger: Ledger, *, table: str, row: str, measure: str, value: Callable[[Logged, str], float]
) -> list[str]:
    """The last section of a page: a line a run.

    Args:
        ledger: of the finished runs.
        table: heading of what a run's table is.
        row: and of its row.
        measure: what is told of each language.
        value: of it, for a run and a language.
    """
    lines = [
        "## Every run",
        "",
        "Two runs at a time, one thread each; seconds are what a clock showed, on a machine with "
        "other work. *Best step*: whose weights were measured.",
        "",
        f"| {table} | {row} | seed | best step of | {measure} | pairs | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in ledger:
        told = ", ".join(f"{tag} {value(run, tag):.1f}" for tag in sorted(run.languages))
        lines.append(
            f"| {run.table} | {run.name} | {run.seed} | {run.best_step} of {run.curve[-1][0]} | "
            f"{told} | {run.pairs:,} | {run.seconds:.0f} |"
        )
    return lines
