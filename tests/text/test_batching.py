"""Batches of texts of like length."""

from __future__ import annotations

import pytest

from polyglance.text.batching import length_sorted_batches


def test_every_row_once_and_longest_first() -> None:
    texts = ["aaa", "a", "", "aaaaa", "aa", "bb", "cccc"]
    batches = list(length_sorted_batches(texts, batch_size=3))
    assert batches == [[3, 6, 0], [4, 5, 1], [2]]


def test_no_text_gives_no_batch() -> None:
    assert list(length_sorted_batches([], batch_size=3)) == []


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        next(length_sorted_batches(["a"], batch_size=0))
