"""Threads with a batch each: order, restored settings, and what an early end leaves undone."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from polyglance.search.parallel import batched, in_order


def test_results_come_in_order() -> None:
    def slowly(number: int) -> int:
        time.sleep(0.02 if number % 2 == 0 else 0)
        return number * number

    assert list(in_order(slowly, range(20), workers=4)) == [n * n for n in range(20)]


def test_each_thread_of_a_full_house_computes_alone_and_torch_is_put_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        seen = list(in_order(lambda _: torch.get_num_threads(), range(8), workers=4))
        assert seen == [1] * 8
        seen = list(in_order(lambda _: torch.get_num_threads(), range(8), workers=2))
        assert seen == [2] * 8
        assert torch.get_num_threads() == 4
        other: list[int] = []
        thread = threading.Thread(target=lambda: other.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert other == [4]  # threads begun later get it as well
    finally:
        torch.set_num_threads(before)


def test_little_is_taken_ahead_of_the_consumer() -> None:
    taken: list[int] = []

    def items() -> object:
        for number in range(100):
            taken.append(number)
            yield number

    results = in_order(lambda number: number, items(), workers=2)  # type: ignore[call-overload]
    next(results)
    assert len(taken) <= 6
    results.close()
    assert len(taken) <= 6


def test_an_error_in_a_thread_reaches_the_consumer() -> None:
    def fail(number: int) -> int:
        if number == 3:
            raise KeyboardInterrupt
        return number

    results = in_order(fail, range(10), workers=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyboardInterrupt):
        next(results)


def test_batches() -> None:
    assert list(batched(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batched([], 3)) == []
