from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from polyglance.vision.heat_map import HeatMap, Point


def heat_map(
    row: int, column: int, *, visible: tuple[float, float, float, float] = (0, 0, 1, 1)
) -> HeatMap:
    values = np.full((4, 8), -0.5, np.float32)
    values[row, column] = 0.25
    return HeatMap(values=values, visible=visible, score=0.3, language="de")


def test_the_peak_is_the_middle_of_the_hottest_cell() -> None:
    assert heat_map(0, 7).peak == Point(7.5 / 8, 0.5 / 4)
    cropped = heat_map(3, 0, visible=(0.25, 0, 0.75, 1))
    assert cropped.peak == pytest.approx((0.25 + 0.5 * 0.5 / 8, 3.5 / 4))


@pytest.mark.parametrize(
    ("point", "words"),
    [
        (Point(0.1, 0.1), "top left"),
        (Point(0.5, 0.5), "centre"),
        (Point(0.9, 0.5), "right"),
        (Point(0.5, 0.9), "bottom"),
    ],
)
def test_places_in_words(point: Point, words: str) -> None:
    assert str(point) == words


def test_at_the_pictures_size_from_cold_to_hot() -> None:
    large = heat_map(1, 2).at_size(160, 80)
    assert large.shape == (80, 160)
    assert large.dtype == np.float32
    assert large.min() >= 0
    assert large.max() <= 1
    y, x = np.unravel_index(large.argmax(), large.shape)
    assert (20 <= y < 40, 40 <= x < 60) == (True, True)


def test_what_the_model_did_not_see_is_cold() -> None:
    large = heat_map(1, 0, visible=(0.25, 0, 0.75, 1)).at_size(100, 40)
    assert not large[:, :25].any()
    assert not large[:, 75:].any()
    assert large[:, 25:75].any()


def test_a_map_without_differences_is_cold_everywhere() -> None:
    flat = HeatMap(values=np.ones((3, 3), np.float32), visible=(0, 0, 1, 1), score=0, language="en")
    assert not flat.at_size(9, 9).any()


def test_the_overlay_is_brightest_at_the_peak() -> None:
    grey = Image.new("RGB", (160, 80), (100, 100, 100))
    laid = heat_map(2, 6).overlay(grey)
    assert laid.size == grey.size
    bright = np.asarray(laid.convert("L"), np.float32)
    y, x = np.unravel_index(bright.argmax(), bright.shape)
    assert (40 <= y < 60, 120 <= x < 140) == (True, True)
    assert bright[0, 0] < 100  # the cold is darkened
