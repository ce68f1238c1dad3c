"""Texts of several threads in one batch: who gets what, what breaks, and who waits for whom."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from polyglance.search.batching import TextBatcher


class Lengths:
    """Encodes a text as its length and that of its tag; slowly, and not the text ``break``."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.held = threading.Event()
        self.held.set()
        self.entered = threading.Event()

    def __call__(self, texts: Sequence[str], languages: Sequence[str]) -> NDArray[np.float32]:
        self.batches.append(list(texts))
        self.entered.set()
        assert self.held.wait(10)
        if "break" in texts:
            raise RuntimeError("broken")
        rows = [(len(text), len(tag)) for text, tag in zip(texts, languages, strict=True)]
        return np.array(rows, dtype=np.float32)


@pytest.fixture
def lengths() -> Lengths:
    return Lengths()


def batcher(lengths: Lengths, **options: float) -> TextBatcher:
    return TextBatcher(lengths, encoding=threading.Lock(), **options)  # type: ignore[arg-type]


def while_busy(made: TextBatcher, lengths: Lengths, texts: Sequence[Sequence[str]]) -> list[object]:
    """Ask everything while the encoder is held up by a first text; what each asker got."""

    def ask(some: Sequence[str]) -> object:
        try:
            return made.encode(some, ["de"] * len(some)).tolist()
        except RuntimeError as error:
            return str(error)

    lengths.held.clear()
    with ThreadPoolExecutor(len(texts) + 1) as pool:
        first = pool.submit(ask, ["first"])
        assert lengths.entered.wait(10)
        others = []
        for number, some in enumerate(texts, start=1):
            others.append(pool.submit(ask, some))
            while len(made._waiting) < number:
                time.sleep(0.001)
        lengths.held.set()
        assert first.result(10) == [[5, 2]]
        return [other.result(10) for other in others]


def test_a_question_alone_is_encoded_at_once(lengths: Lengths) -> None:
    made = batcher(lengths, longest_wait=60)
    assert made.encode(["rot", "grün"], ["de", "und"]).tolist() == [[3, 2], [4, 3]]
    assert made.encode(["a"], ["en"]).tolist() == [[1, 2]]
    assert lengths.batches == [["rot", "grün"], ["a"]]


def test_what_comes_meanwhile_is_one_batch(lengths: Lengths) -> None:
    answers = while_busy(batcher(lengths), lengths, [["a"], ["bb", "ccc"], ["dddd"]])
    assert answers == [[[1, 2]], [[2, 2], [3, 2]], [[4, 2]]]
    assert lengths.batches == [["first"], ["a", "bb", "ccc", "dddd"]]


def test_a_batch_has_an_end(lengths: Lengths) -> None:
    made = batcher(lengths, most_texts=2)
    answers = while_busy(made, lengths, [["a"], ["bb"], ["c", "d", "e"], ["f"]])
    assert answers == [[[1, 2]], [[2, 2]], [[1, 2]] * 3, [[1, 2]]]
    assert lengths.batches == [["first"], ["a", "bb"], ["c", "d", "e"], ["f"]]


def test_a_text_that_breaks_breaks_no_other(lengths: Lengths) -> None:
    answers = while_busy(batcher(lengths), lengths, [["a"], ["break"], ["bb"]])
    assert answers == [[[1, 2]], "broken", [[2, 2]]]
    assert lengths.batches[1:] == [["a", "break", "bb"], ["a"], ["break"], ["bb"]]


def test_company_is_waited_for_where_it_is_likely(lengths: Lengths) -> None:
    made = batcher(lengths, longest_wait=10, most_texts=2)
    while_busy(made, lengths, [["a"], ["b"]])
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(made.encode, ["c"], ["de"])
        time.sleep(0.05)
        assert not one.done()
        two = pool.submit(made.encode, ["d"], ["de"])
        assert (one.result(5).tolist(), two.result(5).tolist()) == ([[1, 2]], [[1, 2]])
    assert lengths.batches[-1] == ["c", "d"]


def test_sizes_of_batches_are_told(lengths: Lengths) -> None:
    sizes: list[int] = []
    made = TextBatcher(lengths, encoding=threading.Lock(), on_batch=sizes.append)
    while_busy(made, lengths, [["a"], ["b", "c"]])
    assert sizes == [1, 3]


def test_an_interruption_leaves_nobody_waiting(lengths: Lengths) -> None:
    def interrupted(texts: Sequence[str], languages: Sequence[str]) -> NDArray[np.float32]:
        raise KeyboardInterrupt

    made = TextBatcher(interrupted, encoding=threading.Lock())
    with pytest.raises(KeyboardInterrupt):
        made.encode(["a"], ["de"])
