"""Intervals against naive resampling, and whether they cover."""

from __future__ import annotations

import numpy as np
import pytest

from polyglance.evaluation.bootstrap import draw_pictures, interval, metric_draws
from polyglance.evaluation.metrics import metrics
from polyglance.evaluation.ranks import Ranks


def as_ranks(best):
    best = np.asarray(best, dtype=np.int64)
    return Ranks(np.arange(len(best)), best[:, None], 1000)


def test_every_draw_equals_resampling_by_hand():
    generator = np.random.default_rng(0)
    pictures = np.sort(generator.integers(0, 12, 40))
    best = generator.integers(1, 30, 40)
    weights = draw_pictures(12, draws=150, seed=3)
    drawn = metric_draws(as_ranks(best), pictures, weights)
    for number, weight in enumerate(weights):
        chosen = np.repeat(np.arange(12), weight.astype(int))  # pictures, repeated
        sample = np.concatenate([best[pictures == picture] for picture in chosen])
        for name, value in metrics(as_ranks(sample)).as_dict().items():
            assert drawn[name][number] == pytest.approx(value), name


def test_draws_have_the_size_of_the_collection_and_repeat_with_their_seed():
    first = draw_pictures(30, draws=9, seed=1)
    assert (first.sum(axis=1) == 30).all()
    assert np.array_equal(first, draw_pictures(30, draws=9, seed=1))
    assert not np.array_equal(first, draw_pictures(30, draws=9, seed=2))


def test_captions_of_a_picture_stay_together():
    """With all captions of a picture alike, five captions are worth no more than one."""
    generator = np.random.default_rng(0)
    hits = np.where(generator.random(200) < 0.5, 1, 50)
    weights = draw_pictures(200, draws=1000, seed=0)
    one = metric_draws(as_ranks(hits), np.arange(200), weights)["R@1"]
    five = metric_draws(as_ranks(np.repeat(hits, 5)), np.repeat(np.arange(200), 5), weights)["R@1"]
    np.testing.assert_allclose(one, five)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(0)
    truth, covered = 40.0, 0
    for trial in range(300):
        # each picture has its own chance, shared by its three captions
        chance = generator.beta(2, 3, size=150)
        hits = generator.random((150, 3)) < chance[:, None]
        best = np.where(hits.ravel(), 1, 50)
        weights = draw_pictures(150, draws=200, seed=trial)
        drawn = metric_draws(as_ranks(best), np.repeat(np.arange(150), 3), weights)
        low, high = interval(drawn["R@1"])
        covered += low <= truth <= high
    assert 0.90 <= covered / 300 <= 0.98


def test_a_draw_without_any_of_the_queries_is_not_counted():
    weights = np.array([[1, 0], [0, 1], [2, 0]], dtype=np.uint8)
    drawn = metric_draws(as_ranks([1, 3]), np.array([0, 0]), weights)
    assert np.isnan(drawn["R@1"][1])
    assert np.isnan(drawn["MedR"][1])
    assert interval(drawn["R@1"]) == (50.0, 50.0)
