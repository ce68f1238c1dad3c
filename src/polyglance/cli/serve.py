"""``polyglance serve``: a web page and an HTTP API over a collection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    collection: Annotated[
        Path, typer.Option("--collection", "-c", help="Made by 'polyglance index'.")
    ],
    host: Annotated[
        str,
        typer.Option(help="Address to listen on. The default is reachable from here only."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
) -> None:
    """Open a collection in the browser: search in any language, and "more like this"."""
    from polyglance.cli.search import open_searcher
    from polyglance.serve.run import run

    run(open_searcher(collection), host=host, port=port)
