"""What ``polyglance collection duplicates`` tells of copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from polyglance.cli.tables import FILES_SHOWN

if TYPE_CHECKING:
    from polyglance.search.collection import Collection
    from polyglance.search.copies import Copy, Duplicates


def duplicates_json(opened: Collection, found: Duplicates) -> dict[str, Any]:
    """Groups of copies, the best of each first, and what could not be compared."""
    from polyglance.search.schema import readable

    groups = [
        [
            {
                "path": readable(str(opened.absolute(copy.file.path))),
                "id": copy.file.id,
                "size": copy.file.size,
                "width": copy.width,
                "height": copy.height,
                "hash": copy.file.content,
                "exact": copy.exact,
                "cosine": round(copy.cosine, 6),
                "bits": copy.bits,
            }
            for copy in group
        ]
        for group in found.groups
    ]
    unreadable = [{"path": path, "reason": reason} for path, reason in found.unreadable]
    return {"groups": groups, "near_but_no_copies": found.others, "unreadable": unreadable}


def _print_group(group: list[Copy]) -> None:
    """The first, and below it the others: ``=`` the same bytes, ``≈`` only the same picture."""
    from polyglance.search.schema import readable

    for place, copy in enumerate(group):
        mark = "" if not place else "  = " if copy.exact else "  ≈ "
        told = "" if copy.exact else f", cosine {copy.cosine:.3f}, {copy.bits} of 64 bits"
        size = f"{copy.width} × {copy.height}, {copy.file.size:,} bytes"
        typer.echo(f"{mark}{readable(copy.file.path)}  {size}{told}")


def print_duplicates(found: Duplicates) -> None:
    """Every group, what could not be compared, and how many there are of each kind."""
    for group in found.groups:
        _print_group(group)
    for path, reason in found.unreadable[:FILES_SHOWN]:
        typer.echo(f"not compared {path}: {reason}", err=True)
    copies = [copy for group in found.groups for copy in group[1:]]
    exact = sum(copy.exact for copy in copies)
    typer.echo(
        f"groups: {len(found.groups)}; with the same bytes as their first: {exact}, "
        f"the same picture: {len(copies) - exact}; pairs near that are no copies: {found.others}"
    )
