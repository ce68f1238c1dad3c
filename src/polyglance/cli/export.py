"""``polyglance export``: a model as ONNX graphs, for searching without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MOST_PICTURES = 128


def export(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Built-in, hub name or folder of a model.")
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="To be made; an earlier export is replaced.")
    ],
    int8: Annotated[
        bool, typer.Option("--int8", help="Weights of eight bits; embeddings are near, not equal.")
    ] = False,
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Pictures to compare embeddings on, and to measure ranges on for --int8.",
        ),
    ] = None,
) -> None:
    """Write a model as ONNX graphs that are searched with ONNX Runtime alone.

    The embeddings of graphs and model are compared before anything is there. A collection that the
    model filled can be searched with its float32 export (`polyglance search --model`).
    """
    from polyglance.onnx.export import export as run

    parity = run(model, folder, pictures=_some(pictures), int8=int8)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    typer.echo(
        f"{folder}: {size:.0f} MB; least cosine to the model's embeddings: "
        f"pictures {parity.images:.5f}, texts {parity.texts:.5f}"
    )


def _some(folder: Path | None) -> list[Path]:
    """Up to so many pictures from all over a folder."""
    from polyglance.data.decode import IMAGE_SUFFIXES
    from polyglance.errors import ConfigError

    if folder is None:
        return []
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise ConfigError(f"{folder} has no pictures")
    return found[:: max(1, len(found) // MOST_PICTURES)][:MOST_PICTURES]
