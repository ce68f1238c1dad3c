"""Turns: who is answered, who waits, who is told to come again, and when."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from polyglance.serve.admission import Admission, Turns
from support.browser import served
from support.coroutines import apart


class Held:
    """An application whose answers wait until they are let go."""

    def __init__(self, *, at_once: int, most_waiting: int, **options: float) -> None:
        self.app = FastAPI()
        self.let_go = threading.Event()
        self.inside = 0
        self.most_inside = 0
        self._lock = threading.Lock()
        self.reading = Turns(at_once=at_once, most_waiting=most_waiting)
        self.sending = Turns(at_once=1, most_waiting=0)
        self.app.add_middleware(Admission, reading=self.reading, sending=self.sending, **options)
        self.app.get("/held")(self.hold)
        self.app.post("/held")(self.hold)
        self.app.get("/health")(lambda: "alive")
        self.app.post("/read")(self.read)

    def hold(self) -> str:
        with self._lock:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
        assert self.let_go.wait(20)
        with self._lock:
            self.inside -= 1
        return "held"

    async def read(self, request: Request) -> int:
        return len(await request.body())


@contextmanager
def asked(held: Held) -> Iterator[tuple[Callable[..., Any], ThreadPoolExecutor]]:
    """A function that sends a request from another thread."""
    with served(held.app) as address, ThreadPoolExecutor(32) as pool:

        def ask(method: str = "GET", path: str = "/held", **options: Any) -> Any:
            return pool.submit(httpx.request, method, address + path, timeout=20, **options)

        try:
            yield ask, pool
        finally:
            held.let_go.set()


def until(true: Callable[[], bool]) -> None:
    for _ in range(2000):
        if true():
            return
        time.sleep(0.005)
    raise AssertionError("it never came true")


def test_no_more_than_so_many_are_answered_and_the_others_wait() -> None:
    held = Held(at_once=2, most_waiting=3)
    with asked(held) as (ask, _):
        answers = [ask() for _ in range(5)]
        until(lambda: held.inside == 2 and held.reading.waiting == 3)
        held.let_go.set()
        assert [answer.result().status_code for answer in answers] == [200] * 5
        assert held.most_inside == 2
        assert held.reading.waiting == 0


def test_who_finds_the_queue_full_is_told_when_to_come_again() -> None:
    held = Held(at_once=1, most_waiting=1)
    with asked(held) as (ask, _):
        first = [ask(), ask()]
        until(lambda: held.reading.full)
        refused = ask().result()
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["hx-reswap"] == "innerHTML"  # the page stays whole
        assert refused.text == "too many ask at once; try again in 1 s\n"
        assert ask(path="/health").result().status_code == 200
        held.let_go.set()
        assert [answer.result().status_code for answer in first] == [200, 200]
        assert ask().result().status_code == 200


def test_who_sends_and_who_asks_do_not_wait_for_each_other() -> None:
    held = Held(at_once=1, most_waiting=0)
    with asked(held) as (ask, _):
        sent = ask("POST")
        until(lambda: held.inside == 1)
        assert ask("POST").result().status_code == 503
        got = ask()
        until(lambda: held.inside == 2)
        held.let_go.set()
        assert (sent.result().status_code, got.result().status_code) == (200, 200)


def test_nobody_waits_without_end() -> None:
    held = Held(at_once=1, most_waiting=1, seconds_of_waiting=0.1)
    with asked(held) as (ask, _):
        first = ask()
        until(lambda: held.inside == 1)
        assert ask().result().status_code == 503
        held.let_go.set()
        assert first.result().status_code == 200


def test_an_answer_that_takes_too_long_is_given_up_and_its_turn_is_not() -> None:
    held = Held(at_once=1, most_waiting=0, seconds_of_answering=0.1)
    with asked(held) as (ask, _):
        late = ask().result()
        assert (late.status_code, "takes too long" in late.text) == (503, True)
        assert held.inside == 1  # the thread is at it still
        assert ask().result().status_code == 503
        held.let_go.set()
        until(lambda: not held.reading.full)
        assert ask().result().status_code == 200


def test_a_body_that_comes_slowly_does_not_count_as_a_slow_answer() -> None:
    held = Held(at_once=1, most_waiting=0, seconds_of_answering=0.3)

    def slowly() -> Iterator[bytes]:
        for _ in range(5):
            yield b"x" * 100
            time.sleep(0.15)

    with asked(held) as (ask, _):
        answer = ask("POST", "/read", content=slowly()).result()
        assert (answer.status_code, answer.json()) == (200, 500)


def test_times_to_come_again_follow_the_answers_of_late() -> None:
    async def estimated() -> list[int]:
        turns = Turns(at_once=2, most_waiting=100)
        turns.waiting = 9
        estimates = [turns.retry_after]
        for _ in range(100):
            turns.give_back(4.0)
        estimates.append(turns.retry_after)
        turns.waiting = 1000
        return [*estimates, turns.retry_after]

    assert apart(estimated()) == [1, 20, 60]


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_what_is_no_request_passes(kind: str) -> None:
    passed: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["type"])

    made = Admission(
        app,
        reading=Turns(at_once=1, most_waiting=0),
        sending=Turns(at_once=1, most_waiting=0),
    )
    nothing: Callable[..., Awaitable[Any]] = asyncio.sleep
    apart(made({"type": kind}, nothing, nothing))
    assert passed == [kind]
