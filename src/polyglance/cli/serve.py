"""``polyglance serve``: a web page and an HTTP API over a collection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polyglance.cli.search import COLLECTION_HELP, MODEL_HELP


def serve(
    collection: Annotated[
        str, typer.Option("--collection", "-c", metavar="COLLECTION", help=COLLECTION_HELP)
    ],
    host: Annotated[
        str,
        typer.Option(help="Address to listen on. The default is reachable from here only."),
    ] = "127.0.0.1",
    model: Annotated[str | None, typer.Option(help=MODEL_HELP)] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Holds a secret that everyone has to show. Without it: what the environment "
            "variable POLYGLANCE_TOKEN holds.",
        ),
    ] = None,
    without_token: Annotated[
        bool,
        typer.Option(
            "--without-token",
            help="Let others in, also through a proxy, though nobody shows a token.",
        ),
    ] = False,
    places: Annotated[
        bool,
        typer.Option(
            "--places", help="Tell, to everyone who may ask, where pictures were taken, by EXIF."
        ),
    ] = False,
) -> None:
    """Open a collection in the browser: search in any language, and "more like this".

    Where others can reach it, it asks them for a token: a bearer in the API, in the browser the
    password of any user.
    """
    from polyglance.search.opening import open_searcher
    from polyglance.serve.access import token_to_show
    from polyglance.serve.run import run

    token = token_to_show(token_file, host=host, without=without_token)  # before models are loaded
    run(
        open_searcher(collection, model),
        host=host,
        port=port,
        token=token,
        without_token=without_token,
        places=places,
    )
