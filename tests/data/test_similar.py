"""Groups of pictures that look alike: whole, small, alike, and others each time."""

from __future__ import annotations

from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyglance.data.record import Record
from polyglance.data.sampler import CaptionSampler
from polyglance.data.similar import SimilarGroups


def clusters(count: int, each: int, *, seed: int = 0) -> np.ndarray:
    """``count`` clusters, far apart, of ``each`` pictures: picture p is in cluster p % count."""
    random = np.random.default_rng(seed)
    middles = random.standard_normal((count, 32))
    spread = 0.05 * random.standard_normal((count * each, 32))
    return (middles[np.arange(count * each) % count] + spread).astype(np.float32)


@settings(deadline=None, max_examples=40)
@given(pictures=st.integers(1, 70), size=st.integers(1, 20), seed=st.integers(0, 99))
def test_every_picture_once(pictures: int, size: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).standard_normal((pictures, 4)).astype(np.float32)
    order = SimilarGroups(vectors, size=size).order(np.random.default_rng(seed))
    assert sorted(order) == list(range(pictures))


def test_pictures_that_are_all_the_same_are_split_too() -> None:
    groups = SimilarGroups(np.ones((33, 4), np.float32), size=4)
    assert sorted(groups.order(np.random.default_rng(0))) == list(range(33))


def test_neighbours_in_the_order_are_alike() -> None:
    vectors = clusters(16, 8)
    order = SimilarGroups(vectors, size=8).order(np.random.default_rng(1))
    same = [one % 16 == other % 16 for one, other in pairwise(order)]
    assert np.mean(same) > 0.75  # of strangers, one in sixteen would be


def test_no_group_is_too_large_or_refused() -> None:
    with pytest.raises(ValueError, match="group of 0"):
        SimilarGroups(clusters(2, 2), size=0)


def test_batches_of_a_sampler_become_alike_and_differ_by_epoch() -> None:
    records = [Record(id=str(n), captions={"en": (f"caption {n}",)}) for n in range(128)]
    records[5] = Record(id="5", captions={})  # has no caption, so is never drawn
    plain, grouped = (CaptionSampler(records, batch_size=8, seed=3) for _ in range(2))
    grouped.group_by(SimilarGroups(clusters(16, 8), size=8))

    def drawn(sampler: CaptionSampler, epoch: int) -> list[list[int]]:
        return [
            [pick.picture for pick in sampler.batch(epoch, step)]
            for step in range(sampler.steps_per_epoch)
        ]

    def kinds(batches: list[list[int]]) -> float:
        return float(np.mean([len({p % 16 for p in batch}) for batch in batches]))

    assert sorted(chain(*drawn(grouped, 0))) == sorted(chain(*drawn(plain, 0)))
    assert kinds(drawn(grouped, 0)) < kinds(drawn(plain, 0)) / 2
    assert drawn(grouped, 0) != drawn(grouped, 1)
    again = CaptionSampler(records, batch_size=8, seed=3)
    again.group_by(SimilarGroups(clusters(16, 8), size=8))
    assert drawn(again, 1) == drawn(grouped, 1)
