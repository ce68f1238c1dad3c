"""Collections as a user keeps them, over a model that sees colours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from polyglance import retriever
from polyglance.cli import collection
from polyglance.cli.index import index
from polyglance.search import mini_encoder
from polyglance.search.lance import connect
from polyglance.search.text_index import build_text_index
from support.colours import PALETTE, ColourEncoder, picture

app = typer.Typer()
app.command()(index)
app.add_typer(collection.app, name="collection")


def use_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever model is asked for, the one that sees colours is loaded."""

    def load(name: str) -> ColourEncoder:
        encoder = ColourEncoder()
        encoder.name = str(name)
        return encoder

    monkeypatch.setattr(retriever.Retriever, "load", staticmethod(load))
    monkeypatch.setattr(mini_encoder, "is_mini", lambda _folder: False)  # whatever it is called


def photos_of_three_folders(folder: Path) -> Path:
    """Seven colours: four at the top, two in ``trip/``, one in ``trip/far/`` with a date."""
    for colour in ("red", "green", "blue", "yellow"):
        picture(folder / f"{colour}.png", colour)
    picture(folder / "trip" / "purple.png", "purple")
    picture(folder / "trip" / "white.png", "white")
    (folder / "trip" / "far").mkdir()
    exif = Image.Exif()
    exif[0x0132] = "2024:05:31 18:30:00"
    Image.new("RGB", (40, 30), PALETTE["black"]).save(
        folder / "trip" / "far" / "black.jpg", exif=exif
    )
    return folder


def run(*arguments: object, code: int = 0, answer: str | None = None) -> str:
    """What a command prints; errors are raised as the ``polyglance`` command sees them."""
    words = [str(argument) for argument in arguments]
    result = CliRunner().invoke(app, words, catch_exceptions=False, input=answer)
    assert result.exit_code == code, result.output
    return result.output


def run_for_json(*arguments: object, code: int = 0) -> str:
    """What a command prints to stdout alone."""
    words = [str(argument) for argument in arguments]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


def rewrite(
    change: Callable[[dict[str, Any]], None], *, folder: Path = Path("c"), indexed: bool = True
) -> None:
    """Change rows of the table behind the back of Polyglance.

    ``indexed``: whether the table gets its index of words again.
    """
    table = connect(folder).open_table("pictures")
    columns = table.to_arrow().sort_by("path").to_pydict()
    change(columns)
    content = pa.table(columns, schema=table.schema)
    made = connect(folder).create_table("pictures", content, mode="overwrite")
    if indexed:
        build_text_index(made)
