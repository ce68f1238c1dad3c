"""Clients that send or take too slowly, over real connections; and what is lost when we stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI, Response

from polyglance.serve import connections, protection
from polyglance.serve.protection import Protection
from support.browser import served

POST = b"POST /read HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n"


def connected(address: str) -> socket.socket:
    where = urlsplit(address)
    return socket.create_connection((where.hostname, where.port), timeout=10)


def answered(connection: socket.socket) -> bytes:
    """All that comes until the other side ends the connection."""
    whole = b""
    try:
        while piece := connection.recv(1 << 16):
            whole += piece
    except ConnectionResetError:
        pass
    return whole


def trickle(connection: socket.socket) -> None:
    """A head without end, slowly."""
    for number in range(100):
        connection.sendall(f"X-{number}: 1\r\n".encode())
        time.sleep(0.05)


@contextmanager
def reading(**options: Any) -> Iterator[str]:
    """A server that reads bodies and gives a large answer."""
    app = FastAPI()
    app.add_middleware(Protection, local_only=True, **options)

    @app.post("/read")
    def read(body: dict[str, Any]) -> int:
        return len(body)

    @app.get("/large")
    def large() -> Response:
        return Response(b"x" * (16 << 20))

    with served(app) as address:
        yield address


@pytest.mark.parametrize("head", [b"", b"GET / HTTP/1.1\r\nHost: 127.0"])
def test_a_head_that_does_not_come_is_not_waited_for(
    head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SECONDS_FOR_A_HEAD", 0.2)
    with reading() as address, connected(address) as connection:
        connection.sendall(head)
        assert answered(connection) == b""


def test_a_head_that_trickles_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SECONDS_FOR_A_HEAD", 0.3)
    with reading() as address, connected(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            trickle(connection)


def test_a_second_head_on_a_connection_is_cut_off_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SECONDS_FOR_A_HEAD", 0.3)
    with reading() as address, connected(address) as connection:
        connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 404")
        connection.sendall(b"GET / HT")
        connection.settimeout(3)  # below the limit for a connection on which nothing comes
        assert b"HTTP/1.1" not in answered(connection)


def test_a_slow_answer_is_no_slow_head(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SECONDS_FOR_A_HEAD", 0.2)
    app.get("/slow")(lambda: time.sleep(0.6))
    with served(app) as address:
        assert httpx.get(f"{address}/slow", timeout=10).status_code == 200


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    with reading(seconds_for_a_body=0.2) as address, connected(address) as connection:
        connection.sendall(POST + b'Content-Length: 100\r\n\r\n{"a"')
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_trickles_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protection, "SLOWEST_BODY", 1000)
    with reading(seconds_for_a_body=0.3) as address, connected(address) as connection:
        connection.sendall(POST + b"Content-Length: 1000\r\n\r\n")
        for _ in range(20):  # a hundred bytes a second
            connection.sendall(b"xxxxx")
            time.sleep(0.05)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_is_slow_and_steady_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protection, "SLOWEST_BODY", 100)
    body = json.dumps({"a": "x" * 200}).encode()
    head = f"Content-Length: {len(body)}\r\n\r\n".encode().replace(b"text/plain", b"")
    kind = POST.replace(b"text/plain", b"application/json")
    with reading(seconds_for_a_body=0.4) as address, connected(address) as connection:
        connection.sendall(kind + head)
        for start in range(0, len(body), 20):
            connection.sendall(body[start : start + 20])
            time.sleep(0.08)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SECONDS_TO_TAKE", 0.3)
    with reading() as address, connected(address) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        time.sleep(1.5)
        assert len(answered(connection)) < 16 << 20


def test_a_client_that_leaves_harms_nobody() -> None:
    with reading() as address:
        for _ in range(3):
            with connected(address) as connection:
                connection.sendall(POST + b"Content-Length: 100\r\n\r\nab")
        assert httpx.get(f"{address}/nowhere", timeout=10).status_code == 404


# stopping

SERVER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from polyglance.search.collection import Collection
from polyglance.search.searcher import Searcher
from polyglance.serve.run import run
from support.colours import ColourEncoder

class Slow(ColourEncoder):
    def encode_texts(self, texts, *, language=None):
        time.sleep(0.5)
        return super().encode_texts(texts, language=language)

run(Searcher(Collection.open(sys.argv[2]), Slow()), host="127.0.0.1", port=0, token=None)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_what_was_taken_in_is_answered_before_the_server_stops(
    app: FastAPI, photos: Path, how: signal.Signals
) -> None:
    collection = app.state.searcher.collection.folder
    arguments = [sys.executable, "-c", SERVER, str(Path(__file__).parents[1]), str(collection)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[1]
        with ThreadPoolExecutor(12) as pool:
            asked = [
                pool.submit(httpx.get, f"{address}/api/v1/search?q=rot{i}", timeout=60)
                for i in range(12)
            ]
            waited = time.monotonic() + 20
            while _established(process.pid) < 12 and time.monotonic() < waited:
                time.sleep(0.01)
            time.sleep(0.2)  # until what they sent has been read
            process.send_signal(how)
            answers = [each.result() for each in asked]
        assert [answer.status_code for answer in answers] == [200] * 12
        assert all(answer.json()["hits"] for answer in answers)
        process.wait(30)
        with pytest.raises(httpx.ConnectError):
            httpx.get(address, timeout=5)
    finally:
        process.kill()
        process.wait()


def _established(process: int) -> int:
    """How many sockets a process has, without its listener and the loop's own pair."""
    links = []
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            links.append(str(link.readlink()))
    return sum(link.startswith("socket:") for link in links) - 3
