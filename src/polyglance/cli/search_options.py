"""Options of ``polyglance search`` that say which pictures are searched at all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PANEL = "Filters"

Folder = Annotated[
    str | None,
    typer.Option(
        help="Only below this folder: absolute, or relative to the folder that was indexed.",
        rich_help_panel=PANEL,
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        metavar="DATE", help="Taken since 2024, 2024-06 or 2024-06-30.", rich_help_panel=PANEL
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        metavar="DATE",
        help="Taken until then, that day, month or year included.",
        rich_help_panel=PANEL,
    ),
]
Near = Annotated[
    str | None,
    typer.Option(
        metavar="LAT,LON,RADIUS",
        help="Taken there by EXIF, as in 50.0875,14.4213,5km or -33.8568,151.2153,800m.",
        rich_help_panel=PANEL,
    ),
]
MinSize = Annotated[
    str | None,
    typer.Option(metavar="PIXELS", help="Of the shorter side.", rich_help_panel=PANEL),
]
Shape = Annotated[
    str | None,
    typer.Option("--orientation", help="landscape, portrait or square.", rich_help_panel=PANEL),
]
Kind = Annotated[
    str | None,
    typer.Option(
        help="picture, video, or the ending of a file name, such as png.", rich_help_panel=PANEL
    ),
]
Caption = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Part of a caption, in any case.", rich_help_panel=PANEL),
]


def below_root(folder: str | None, root: str) -> str | None:
    """An absolute folder as the paths of a collection with this root begin; others unchanged."""
    from polyglance.search.schema import readable

    if folder is None:
        return None
    if Path(folder).is_absolute() and Path(folder).is_relative_to(root):
        folder = Path(folder).relative_to(root).as_posix()
    return readable(folder)
