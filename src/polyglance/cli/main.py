"""The ``polyglance`` command: verbs, and errors turned into messages."""

from __future__ import annotations

import sys

import typer

from polyglance.cli.demo import demo

app = typer.Typer(
    name="polyglance",
    help="Find any picture in any language: train, measure, index, search.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
app.command()(demo)


def main() -> None:
    """Run the command line; a user's mistake ends in one message and exit code 2."""
    from polyglance.errors import PolyglanceError

    try:
        app()
    except PolyglanceError as error:
        print(f"polyglance: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("polyglance: interrupted; run the same command again to go on", file=sys.stderr)
        raise SystemExit(130) from None
