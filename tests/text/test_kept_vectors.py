"""The memory of vectors: what is kept is right wherever it lies, and what is over goes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from numpy.typing import NDArray

from polyglance.text.kept_vectors import BLOCK, KeptVectors


class Numbers:
    """The vector of a number's digits is the number, three times; what was asked is remembered."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: list[str]) -> NDArray[np.float32]:
        self.asked += texts
        return np.array([[float(text)] * 3 for text in texts], np.float32)


def texts(first: int, end: int) -> list[str]:
    return [str(number) for number in range(first, end)]


@pytest.mark.parametrize("limit", [1, BLOCK, 2 * BLOCK + 1])
def test_vectors_are_right_in_every_block_and_after_others_have_gone(limit: int) -> None:
    kept, numbers = KeptVectors(limit, 3), Numbers()
    for start in range(0, 4 * BLOCK, 700):
        asked = texts(start, start + 700)
        assert (kept.get(asked, numbers)[:, 1] == [float(text) for text in asked]).all()
        assert len(kept) == min(limit, start + 700)
    end = start + 700
    numbers.asked.clear()
    last = texts(end - min(limit, 700), end)
    assert (kept.get(last, numbers)[:, 2] == [float(text) for text in last]).all()
    assert not numbers.asked
    kept.get(texts(0, 3), numbers)
    assert numbers.asked == texts(0, 3)


def test_what_is_handed_out_does_not_change_with_the_memory() -> None:
    kept = KeptVectors(2, 3)
    first = kept.get(["1", "2"], Numbers())
    kept.get(["3", "4"], Numbers())
    first[:] += 10
    assert (first[:, 0] == [11, 12]).all()
    assert (kept.get(["3", "4"], Numbers())[:, 0] == [3, 4]).all()


def test_a_copy_remembers_nothing() -> None:
    kept, numbers = KeptVectors(5, 3), Numbers()
    kept.get(["1"], numbers)
    copied = copy.deepcopy(kept)
    assert len(copied) == 0
    copied.get(["1"], numbers)
    assert numbers.asked == ["1", "1"]
