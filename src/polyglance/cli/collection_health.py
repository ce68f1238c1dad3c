"""What ``polyglance collection verify`` and ``repair`` tell of a collection's health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from polyglance.cli.tables import FILES_SHOWN

if TYPE_CHECKING:
    from polyglance.search.repair import Repaired
    from polyglance.search.verification import Verdict


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """What was looked at, and what is wrong with how many."""
    problems = [
        {"kind": kind.value, "count": problem.count, "first": problem.names}
        for kind, problem in verdict.problems.items()
    ]
    return {"rows": verdict.rows, "files": verdict.files, "problems": problems}


def print_verdict(verdict: Verdict) -> None:
    """What is wrong, with the remedy and the first few names; or that nothing is."""
    from polyglance.search.verification import MEANINGS, Kind

    for kind, problem in verdict.problems.items():
        if kind in (Kind.TABLE, Kind.MODEL):
            typer.echo(f"{kind.value}: {problem.names[0]}")
            continue
        more = ", …" if problem.count > len(problem.names) else ""
        what, remedy = MEANINGS[kind]
        typer.echo(f"{what}: {problem.count:,}; {remedy}")
        typer.echo(f"  {', '.join(problem.names)}{more}")
    found = "something is wrong" if verdict.problems else "all is well"
    typer.echo(f"{verdict.rows:,} rows read, {verdict.files:,} files looked for: {found}")


def print_repaired(repaired: Repaired) -> None:
    """What was mended, and what is left for ``polyglance index``."""
    told = {
        "rows written anew": repaired.rewritten,
        "doubles taken out": repaired.doubles,
        "leftovers of a killed process deleted": repaired.leftovers,
    }
    for what, count in told.items():
        if count:
            typer.echo(f"{what}: {count:,}")
    if repaired.rolled_back:
        typer.echo(
            "the newest state could not be read, and the last one that can took its place; run "
            "'polyglance index' again"
        )
    if repaired.text_index:
        typer.echo("the index of captions' words was built anew")
    if repaired.skipped:
        typer.echo("the list of unreadable files was lost; 'polyglance index' fills it again")
    for path in repaired.forgotten[:FILES_SHOWN]:
        typer.echo(f"forgotten: {path}")
    if repaired.forgotten:
        typer.echo(f"files forgotten: {len(repaired.forgotten):,}; run 'polyglance index' again")
    if not repaired:
        typer.echo("there was nothing to mend")
