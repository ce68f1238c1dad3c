"""How many are answered at once, how many wait, and for how long; the others are told when to come.

A server that takes all that comes answers everybody late, and in the end nobody. So there is a
bounded queue before the application, and who finds it full hears so at once.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from polyglance.errors import PolyglanceError
from polyglance.serve.asgi import App, Message, Receive, Scope, Send
from polyglance.serve.interface import N_
from polyglance.serve.refusal import refuse

# Threads that answer. Who sends something, perhaps slowly, never takes the turns of those who ask.
READING_AT_ONCE, SENDING_AT_ONCE = 24, 8
# A page has 48 pictures, which a proxy may ask for all at once.
READING_WAITING, SENDING_WAITING = 192, 16
SECONDS_OF_WAITING = 10.0
SECONDS_OF_ANSWERING = 30.0
LONGEST_RETRY = 60
SHARE_OF_THE_LATEST = 0.1
# Answered whatever else goes on, in no time.
AT_ONCE = ("/health", "/ready", "/metrics", "/static/")
FULL = N_("too many ask at once; try again in {seconds} s")
LATE = N_("the answer takes too long; try again in {seconds} s")


class Turns:
    """Turns of one kind of requests.

    Args:
        at_once: how many are answered at the same time.
        most_waiting: how many may wait for that.
        on_waiting: told how many more wait, or −1.
    """

    def __init__(
        self,
        *,
        at_once: int,
        most_waiting: int,
        on_waiting: Callable[[int], object] = lambda _change: None,
    ) -> None:
        self.at_once = at_once
        self.most_waiting = most_waiting
        self.waiting = 0
        self._on_waiting = on_waiting
        self._free = asyncio.Semaphore(at_once)
        self._seconds = 0.1  # that an answer takes, of late

    @property
    def full(self) -> bool:
        """Whether nobody else may wait."""
        return self.waiting >= self.most_waiting and self._free.locked()

    @property
    def retry_after(self) -> int:
        """Seconds until those who wait now should have been answered."""
        seconds = (self.waiting + 1) * self._seconds / self.at_once
        return min(max(1, math.ceil(seconds)), LONGEST_RETRY)

    async def take(self, *, within: float) -> bool:
        """Wait for a turn; whether it came in so many seconds."""
        self._wait(1)
        try:
            async with asyncio.timeout(within):
                await self._free.acquire()
        except TimeoutError:
            return False
        finally:
            self._wait(-1)
        return True

    def give_back(self, seconds: float) -> None:
        """End a turn that took so long."""
        self._seconds += SHARE_OF_THE_LATEST * (seconds - self._seconds)
        self._free.release()

    def _wait(self, change: int) -> None:
        self.waiting += change
        self._on_waiting(change)


class Admission:
    """Lets requests in by turns, and tells those whose answer takes too long.

    What works on an answer is a thread, which nobody can stop: its turn ends when it does, also
    where nobody waits for the answer any more.

    Args:
        app: what answers.
        reading: turns of ``GET``.
        sending: turns of all else.
        seconds_of_waiting: for a turn.
        seconds_of_answering: from the request's last byte to the answer's first.
    """

    def __init__(
        self,
        app: App,
        *,
        reading: Turns,
        sending: Turns,
        seconds_of_waiting: float = SECONDS_OF_WAITING,
        seconds_of_answering: float = SECONDS_OF_ANSWERING,
    ) -> None:
        self.app = app
        self.reading = reading
        self.sending = sending
        self.seconds_of_waiting = seconds_of_waiting
        self.seconds_of_answering = seconds_of_answering
        self._answering: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or tell when to come again."""
        if scope["type"] != "http" or scope["path"].startswith(AT_ONCE):
            await self.app(scope, receive, send)
            return
        turns = self.reading if scope["method"] in {"GET", "HEAD"} else self.sending
        if turns.full or not await turns.take(within=self.seconds_of_waiting):
            await _later(scope, send, turns, FULL)
            return
        exchange = _Exchange(receive, send)
        task = self._start(turns, scope, exchange)
        while not task.done():
            left = exchange.heard + self.seconds_of_answering - time.monotonic()
            if left <= 0 and not exchange.begun:
                exchange.closed = True
                await _later(scope, send, turns, LATE)
                return
            await asyncio.wait({task}, timeout=None if exchange.begun else left)
        await task

    def _start(self, turns: Turns, scope: Scope, exchange: _Exchange) -> asyncio.Task[None]:
        started = time.monotonic()

        def end(task: asyncio.Task[None]) -> None:
            self._answering.discard(task)
            turns.give_back(time.monotonic() - started)
            if exchange.closed and not task.cancelled():
                task.exception()  # which nobody is there to hear of

        answer = self.app(scope, exchange.receive, exchange.send)
        task: asyncio.Task[None] = asyncio.ensure_future(answer)
        self._answering.add(task)
        task.add_done_callback(end)
        return task


class _Exchange:
    """What is known of a request under way.

    Attributes:
        heard: when the last of it came.
        begun: whether its answer has.
        closed: whether the answer is no longer wanted.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.heard = time.monotonic()
        self.begun = False
        self.closed = False

    async def receive(self) -> Message:
        message = await self._receive()
        self.heard = time.monotonic()
        return message

    async def send(self, message: Message) -> None:
        if not self.closed:
            self.begun = True
            await self._send(message)


async def _later(scope: Scope, send: Send, turns: Turns, reason: str) -> None:
    seconds = turns.retry_after
    headers = [(b"retry-after", str(seconds).encode())]
    await refuse(scope, send, 503, PolyglanceError(reason, seconds=seconds), headers)
