"""What stands before every request: who may ask, how much, and what browsers may do with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from polyglance.errors import PolyglanceError
from polyglance.serve.access import is_loopback
from polyglance.serve.asgi import App, Message, Receive, Scope, Send
from polyglance.serve.interface import N_
from polyglance.serve.refusal import refuse

Problem = tuple[int, PolyglanceError]  # status and reason

MAX_BODY_BYTES = 40 << 20
# A body has so much time, and more for each byte of it that has come.
SECONDS_FOR_A_BODY, SLOWEST_BODY = 10.0, 32 << 10  # bytes a second

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # without any, a form has no Origin either
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}


class Protection:
    """Refuses foreign hosts and origins, huge and slow bodies, and adds headers to every answer.

    A page anywhere on the web can make a browser send requests to 127.0.0.1. It cannot read the
    answers unless its own name is made to lead here (DNS rebinding): hence the check of the name
    under which we are addressed, where only this machine is meant to reach us.

    Args:
        app: what is protected.
        local_only: accept only the names of the loopback interface as ``Host``.
        max_body: in bytes.
        seconds_for_a_body: that it may take to come, beside what the slowest rate allows.
    """

    def __init__(
        self,
        app: App,
        *,
        local_only: bool,
        max_body: int = MAX_BODY_BYTES,
        seconds_for_a_body: float = SECONDS_FOR_A_BODY,
    ) -> None:
        self.app = app
        self.local_only = local_only
        self.max_body = max_body
        self.seconds_for_a_body = seconds_for_a_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if problem := self._problem(scope, headers):
            await refuse(scope, send, *problem, _SECURITY)
            return
        body = _Body(receive, limit=self.max_body, seconds=self.seconds_for_a_body)
        answer = _Answer(send, body)
        with suppress(_CutOffError):
            await self.app(scope, body.receive, answer.send)
        if body.problem and not answer.begun:
            await refuse(scope, send, *body.problem, _SECURITY)

    def _problem(self, scope: Scope, headers: Mapping[str, str]) -> Problem | None:
        host = headers.get("host", "")
        if self.local_only and not is_loopback(_host_name(host)):
            reason = N_("this server answers only under the name 127.0.0.1 or localhost")
            return 421, PolyglanceError(reason)
        origin = headers.get("origin")
        if scope["method"] not in {"GET", "HEAD"} and origin and not origin.endswith(f"//{host}"):
            return 403, PolyglanceError(N_("requests from other sites are not answered"))
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.max_body:
            return _too_large(self.max_body)
        return None


class _CutOffError(Exception):
    """More came than is allowed, or too slowly."""


class _Body:
    """Counts what comes in, and when: a body sent in chunks does not announce its size.

    Attributes:
        problem: status and reason, once the body is cut off.
    """

    def __init__(self, receive: Receive, *, limit: int, seconds: float) -> None:
        self._receive = receive
        self._limit = limit
        self._came = 0
        self._more = True
        self._due = time.monotonic() + seconds
        self.problem: Problem | None = None

    async def receive(self) -> Message:
        if not self._more:  # what is waited for is that the client leaves
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._due - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            self.problem = 408, PolyglanceError(N_("the upload comes too slowly"))
            raise _CutOffError from None
        came = len(message.get("body", b""))
        self._more = message.get("more_body", False)
        self._came += came
        self._due += came / SLOWEST_BODY
        if self._came > self._limit:
            self.problem = _too_large(self._limit)
            raise _CutOffError
        return message


class _Answer:
    """Adds the security headers, and holds answers back that are about a body cut off."""

    def __init__(self, send: Send, body: _Body) -> None:
        self._send = send
        self._body = body
        self.begun = False

    async def send(self, message: Message) -> None:
        if self._body.problem and not self.begun:
            return
        if message["type"] == "http.response.start":
            self.begun = True
            message = {**message, "headers": [*message.get("headers", []), *_SECURITY]}
        await self._send(message)


_SECURITY = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


def _host_name(host: str) -> str:
    """``[::1]:8000`` → ``::1``."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _too_large(limit: int) -> Problem:
    return 413, PolyglanceError(N_("the upload is larger than {most} MB"), most=limit >> 20)
