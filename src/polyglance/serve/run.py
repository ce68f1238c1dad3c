"""Starting the server: the model is loaded and warm before the first request is taken."""

from __future__ import annotations

import socket
import sys

from polyglance.errors import PolyglanceError
from polyglance.search.searcher import Searcher
from polyglance.serve.protection import LOOPBACK_HOSTS


def run(searcher: Searcher, *, host: str, port: int) -> None:
    """Serve until Ctrl-C.

    Raises:
        PolyglanceError: the address cannot be listened on.
    """
    import uvicorn

    from polyglance.serve.app import create_app

    local_only = host in LOOPBACK_HOSTS
    app = create_app(searcher.collection, searcher.encoder, local_only=local_only)
    app.state.searcher.warm_up()
    with _listen(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        print(
            f"Polyglance: http://{shown}:{listener.getsockname()[1]} (Ctrl-C stops it)", flush=True
        )
        if not local_only:
            print(
                f"listening on {host}: everyone who can reach this machine can search and see "
                f"these pictures",
                file=sys.stderr,
            )
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, reuse_port=False)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PolyglanceError(
            f"cannot listen on {host}, port {port}: {reason}; choose another --port or --host"
        ) from None
