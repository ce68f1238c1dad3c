"""Intervals over seeds are Student's."""

from __future__ import annotations

import math

import pytest

from polyglance.evaluation.seeds import over_seeds, plus_minus


def test_three_seeds() -> None:
    mean, half = over_seeds([1.0, 2.0, 3.0])
    assert (mean, half) == (2.0, pytest.approx(4.303 / math.sqrt(3), rel=1e-3))
    assert plus_minus([1.0, 2.0, 3.0]) == "2.0 ± 2.5"


def test_one_seed_has_no_interval_and_none_was_not_run() -> None:
    assert math.isnan(over_seeds([1.0])[1])
    assert plus_minus([1.0]) == "1.0"
    assert plus_minus([]) == "not run"
