"""Starting the server: the model is loaded and warm before the first request is taken."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

from polyglance.errors import PolyglanceError
from polyglance.search.searcher import Searcher
from polyglance.serve.access import Token, is_loopback

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

MOST_CONNECTIONS = 512
SECONDS_TO_FINISH = 60  # longer than any answer may take


def run(
    searcher: Searcher,
    *,
    host: str,
    port: int,
    token: Token | None,
    without_token: bool = False,
    places: bool = False,
) -> None:
    """Serve until Ctrl-C.

    Where there is no token and others were not let in without one, the names of this machine alone
    are answered: nothing else would keep out a page whose name is made to lead here.

    Args:
        searcher: what is asked.
        host: address to listen on.
        port: likewise; 0 takes a free one.
        token: that everyone has to show.
        without_token: whether others may reach it though there is none, as through a proxy.
        places: whether they are told where pictures were taken.

    Raises:
        PolyglanceError: the address cannot be listened on.
    """
    import uvicorn

    from polyglance.serve.app import create_app

    app = create_app(
        searcher.collection,
        searcher.encoder,
        local_only=token is None and not without_token,
        token=token,
        places=places,
    )
    app.state.searcher.warm_up()
    with _listen(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        print(
            f"Polyglance: http://{shown}:{listener.getsockname()[1]} (Ctrl-C stops it)", flush=True
        )
        if not is_loopback(host):
            print(f"listening on {host}: {_exposure(token)}", file=sys.stderr)
        uvicorn.Server(server_settings(app)).run(sockets=[listener])


def server_settings(app: FastAPI) -> uvicorn.Config:
    """How Uvicorn serves: whatever it has taken in is answered before it ends."""
    import uvicorn

    from polyglance.serve.connections import Connection

    return uvicorn.Config(
        app,
        http=Connection,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
        log_level="warning",
        access_log=False,
        server_header=False,
    )


def _exposure(token: Token | None) -> str:
    if token is None:
        return "everyone who can reach this machine can search and see these pictures"
    return "token and pictures can be read on their way, unless a proxy encrypts them"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, reuse_port=False)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PolyglanceError(
            f"cannot listen on {host}, port {port}: {reason}; choose another --port or --host"
        ) from None
