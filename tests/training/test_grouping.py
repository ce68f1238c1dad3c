"""Grouping training pictures by what the backbone sees in them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from polyglance.data.dataset import Pictures, TensorSource
from polyglance.errors import ConfigError
from polyglance.training.grouping import group_similar


@pytest.mark.parametrize("shape", [(6,), (5, 6), (2, 2, 6)])
def test_pictures_with_like_features_stand_together(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    features = 0.1 * torch.randn(600, *shape)
    features[::2, ..., 0] += 1.0  # two kinds of pictures, in more than one block
    features[1::2, ..., 1] += 1.0
    if len(shape) == 3:
        features = features.movedim(-1, 1)
    groups = group_similar(TensorSource(features.half()), pictures=600, size=8)
    order = groups.order(np.random.default_rng(0))
    same = [one % 2 == other % 2 for one, other in pairwise(order.tolist())]
    assert np.mean(same) > 0.85  # of strangers, half would be


class Unreadable:
    """Of which only some pictures can be read."""

    def __init__(self, readable: list[int]) -> None:
        self.readable = readable

    def load(self, pictures: list[int], *, epoch: int = 0) -> Pictures:
        there = [picture for picture in pictures if picture in self.readable]
        return Pictures(there, torch.ones(len(there), 3))


def test_pictures_that_cannot_be_read_are_in_the_order_still() -> None:
    groups = group_similar(Unreadable([0, 2]), pictures=5, size=2)
    assert sorted(groups.order(np.random.default_rng(0))) == [0, 1, 2, 3, 4]


def test_none_can_be_read() -> None:
    with pytest.raises(ConfigError, match="not one training picture"):
        group_similar(Unreadable([]), pictures=5, size=2)


def test_pixels_are_refused() -> None:
    pixels = TensorSource(torch.zeros(4, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(ConfigError, match=r"freeze image\.backbone"):
        group_similar(pixels, pictures=4, size=2)
