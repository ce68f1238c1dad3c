"""Counts of what reaches a threshold, against comparing and adding up plainly."""

from __future__ import annotations

import numpy as np
import pytest

from polyglance.evaluation.counting import reaching_by_column, reaching_by_row


# Neither size is a multiple of the eight bytes that are added at once; the second and the third
# have more rows, or more words a row, than a byte counts to.
@pytest.mark.parametrize("shape", [(3, 5), (600, 13), (7, 8 * 300 + 1), (0, 4), (4, 0)])
def test_counts_equal_those_of_a_plain_comparison(shape):
    generator = np.random.default_rng(0)
    tile = generator.integers(-2, 3, shape).astype(np.float32)  # few values: many ties
    by_row = generator.integers(-2, 3, (3, shape[0])).astype(np.float32)
    by_column = generator.integers(-2, 3, (3, shape[1])).astype(np.float32)
    expected = (tile[None] >= by_row[:, :, None]).sum(axis=2)
    assert np.array_equal(reaching_by_row(tile, by_row), expected)
    expected = (tile[None] >= by_column[:, None]).sum(axis=1)
    assert np.array_equal(reaching_by_column(tile, by_column), expected)


def test_where_everything_reaches_no_byte_overflows():
    tile = np.ones((1000, 8 * 700), dtype=np.float32)
    assert (reaching_by_row(tile, np.ones((1, 1000), np.float32)) == 8 * 700).all()
    assert (reaching_by_column(tile, np.ones((1, 8 * 700), np.float32)) == 1000).all()


def test_of_a_part_of_a_larger_block_that_part_is_counted():
    block = np.arange(200, dtype=np.float32).reshape(10, 20)
    part = block[2:5, 3:9]
    assert reaching_by_row(part, part[:, 2:3].T).tolist() == [[4, 4, 4]]
    assert reaching_by_column(part, part[1:2]).tolist() == [[2] * 6]


def test_minus_infinity_reaches_nothing_finite():
    tile = np.full((2, 9), -np.inf, dtype=np.float32)
    assert reaching_by_row(tile, np.zeros((1, 2), np.float32)).tolist() == [[0, 0]]
