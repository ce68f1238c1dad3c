"""An S3-compatible store on this machine, and addresses where none answers, or refuses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

import pytest

KEY, SECRET = "AKIAOFNOBODY", "the-secret-of-nobody"


def use_store(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """The environment as AWS's tools read it."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)


@contextmanager
def store_server() -> Iterator[str]:
    """The address of a store that keeps everything in memory."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with urlopen(f"http://{host}:{port}/", timeout=120) as answer:  # the first takes longest
            answer.read()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def make_bucket(endpoint: str, name: str) -> None:
    from pyarrow.fs import S3FileSystem

    files = S3FileSystem(endpoint_override=endpoint, region="us-east-1", allow_bucket_creation=True)
    files.create_dir(name)


@contextmanager
def refusing_server(code: str) -> Iterator[str]:
    """The address of a store that answers 403 to everything, and quotes the key as stores do."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            self.rfile.read(length)
            body = (
                f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message>"
                f"<AWSAccessKeyId>{KEY}</AWSAccessKeyId></Error>"
            ).encode()
            self.send_response(403)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_PUT = do_POST = do_GET  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
