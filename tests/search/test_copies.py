"""Pairs block by block against the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest

from polyglance.search.alike import blocks, pairs_alike


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 30])
def test_pairs_are_those_of_the_whole_matrix(rows: int) -> None:
    vectors = np.random.default_rng(rows).standard_normal((rows, 5)).astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    whole = vectors @ vectors.T
    expected = {
        (i, j): whole[i, j] for i in range(rows) for j in range(i + 1, rows) if whole[i, j] >= 0.3
    }
    found = {}
    yielded = 0
    for one, other, cosines in pairs_alike(vectors, threshold=0.3, block=8):
        yielded += 1
        assert max(len(one), 1) <= 64
        found |= dict(zip(zip(one.tolist(), other.tolist(), strict=True), cosines, strict=True))
    assert yielded == blocks(rows, block=8)
    assert found.keys() == expected.keys()
    assert all(found[pair] == pytest.approx(expected[pair], abs=1e-6) for pair in found)
