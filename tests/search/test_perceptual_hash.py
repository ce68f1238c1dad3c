"""The hash against its equations, and how far copies and bursts lie apart in it."""

from __future__ import annotations

from math import cos, pi

import numpy as np
import pytest
from PIL import Image

from polyglance.search.copies import BITS_APART
from polyglance.search.perceptual_hash import distances, perceptual_hash
from support.variants import COPIES, scene, shot

SCENES = range(40)


def apart(one: Image.Image, other: Image.Image) -> int:
    return int(distances(perceptual_hash(one), perceptual_hash(other)))


def test_bits_are_those_of_a_loop() -> None:
    random = np.random.default_rng(0)
    grey = random.integers(0, 256, (32, 32)).astype(np.uint8)  # nothing is lost in reducing it
    frequencies = [
        sum(
            float(grey[y, x]) * cos((2 * y + 1) * v * pi / 64) * cos((2 * x + 1) * u * pi / 64)
            for y in range(32)
            for x in range(32)
        )
        for v in range(1, 9)
        for u in range(1, 9)
    ]
    expected = [frequency > np.median(frequencies) for frequency in frequencies]
    assert np.unpackbits(perceptual_hash(Image.fromarray(grey))).tolist() == expected


def test_distances_count_bits() -> None:
    one = np.array([[0] * 8, [255] * 8], dtype=np.uint8)
    other = np.array([1, 0, 0, 0, 0, 0, 0, 128], dtype=np.uint8)
    assert distances(one, other).tolist() == [2, 62]


def test_brightness_and_contrast_change_hardly_a_bit() -> None:
    for seed in SCENES:
        picture = shot(scene(seed))
        flat = picture.point(lambda value: 60 + value // 2)
        assert apart(picture, flat) <= 2


@pytest.mark.parametrize("name", COPIES)
def test_copies_stay_below_the_threshold(name: str) -> None:
    pictures = [shot(scene(seed)) for seed in SCENES]
    within = [apart(picture, COPIES[name](picture)) <= BITS_APART for picture in pictures]
    assert np.mean(within) >= 0.9


@pytest.mark.parametrize(("aside", "taken_for_copies"), [(0.05, 0.1), (0.08, 0.0)])
def test_shots_of_a_burst_stay_above_it(aside: float, taken_for_copies: float) -> None:
    bits = [apart(shot(scene(seed)), shot(scene(seed), aside)) for seed in SCENES]
    assert np.mean([each <= BITS_APART for each in bits]) <= taken_for_copies


def test_strangers_are_far_apart() -> None:
    hashes = np.stack([perceptual_hash(shot(scene(seed))) for seed in SCENES])
    bits = distances(hashes[:, None], hashes[None])
    assert bits[np.triu_indices(len(hashes), 1)].min() > 2 * BITS_APART - 2
