"""The ``polyglance`` command: verbs, and errors turned into messages."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

from polyglance.cli import collection, data, vectors
from polyglance.cli.demo import demo
from polyglance.cli.download import download
from polyglance.cli.evaluate import evaluate
from polyglance.cli.explain import explain
from polyglance.cli.export import export
from polyglance.cli.index import index
from polyglance.cli.models import models
from polyglance.cli.search import search
from polyglance.cli.serve import serve
from polyglance.cli.train import train

app = typer.Typer(
    name="polyglance",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
for verb in (download, models, index, search, explain, serve, evaluate, train, export, demo):
    app.command()(verb)
app.add_typer(collection.app, name="collection")
app.add_typer(data.app, name="data")
app.add_typer(vectors.app, name="vectors")


def _show_version(wanted: bool) -> None:
    if wanted:
        from polyglance import __version__

        print(f"polyglance {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="And leave.")
    ] = False,
) -> None:
    """Find any picture in any language: train, measure, index, search."""


def main() -> None:
    """Run the command line; a user's mistake ends in one message and exit code 2."""
    from polyglance.errors import PolyglanceError

    # Pillow warns of damaged EXIF blocks that it reads past; thousands of pictures, as many lines.
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    try:
        app()
    except PolyglanceError as error:
        print(f"polyglance: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except SystemExit as left:
        if _was_interrupted(left):
            print("polyglance: interrupted; run the same command again to go on", file=sys.stderr)
        raise


def _was_interrupted(left: SystemExit) -> bool:
    """Whether Ctrl-C ended it, of which Typer makes an exit code."""
    return isinstance(getattr(left.__context__, "__cause__", None), KeyboardInterrupt)
