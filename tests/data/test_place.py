"""Where pictures were taken: the GPS tags of every format, and those that make no sense."""

from __future__ import annotations

from io import BytesIO
from math import nan
from typing import Any

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2

from polyglance.data.decode import open_picture, picture_facts
from polyglance.data.place import Place, place_of
from support.places import gps

PRAGUE = {1: "N", 2: (50.0, 5.0, 15.0), 3: "E", 4: (14.0, 25.0, 16.5)}


def with_gps(kind: str, tags: dict[int, Any]) -> bytes:
    block: Any = ImageFileDirectory_v2() if kind == "TIFF" else Image.Exif()
    block[0x8825] = tags
    file = BytesIO()
    option = {"tiffinfo" if kind == "TIFF" else "exif": block}
    Image.new("RGB", (8, 8), "red").save(file, kind, **option)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_format_tells_the_place(kind: str) -> None:
    place = picture_facts(with_gps(kind, PRAGUE)).place
    assert place == pytest.approx((50.0875, 14.42125))


def test_a_picture_without_gps_has_none() -> None:
    assert picture_facts(with_gps("JPEG", {})).place is None
    assert picture_facts(with_gps("JPEG", {29: "2024:05:31"})).place is None


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({}, (50.0875, 14.42125)),
        ({1: "S"}, (-50.0875, 14.42125)),
        ({3: "W"}, (50.0875, -14.42125)),
        ({1: "n\0", 3: b"W\0"}, (50.0875, -14.42125)),
        ({2: (90.0, 0.0, 0.0), 4: (180.0, 0.0, 0.0)}, (90.0, 180.0)),
        ({2: (0.0, 0.0, 0.0)}, (0.0, 14.42125)),
        ({2: (50.0, 5.25, 0.0)}, (50.0875, 14.42125)),  # minutes with decimals
    ],
)
def test_letters_are_signs(changes: dict[int, Any], place: tuple[float, float]) -> None:
    assert place_of(PRAGUE | changes) == pytest.approx(place)


@pytest.mark.parametrize(
    "changes",
    [
        {1: None},
        {1: "E"},
        {3: ""},
        {3: 7},
        {2: None},
        {2: ()},
        {2: (50.0, 5.0)},
        {2: 50.0},
        {2: "505"},
        {2: b"\x32\x05\x0f"},
        {2: ("50", "x", "0")},
        {2: (nan, 5.0, 15.0)},
        {2: (50.0, nan, 15.0)},
        {4: (14.0, 25.0, IFDRational(33, 0))},
        {4: (14.0, 25.0, IFDRational(0, 0))},
        {2: (float("inf"), 0.0, 0.0)},
        {2: (10**400, 0, 0)},
        {2: (-50.0, 5.0, 15.0)},
        {2: (50.0, 61.0, 0.0)},
        {2: (50.0, 5.0, 99.0)},
        {2: (90.0, 0.0, 1.0)},
        {4: (180.0, 1.0, 0.0)},
        {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)},
    ],
)
def test_what_makes_no_sense_is_no_place(changes: dict[int, Any]) -> None:
    assert place_of(PRAGUE | changes) is None


def test_a_damaged_directory_is_no_place_and_costs_nothing() -> None:
    sound = with_gps("JPEG", PRAGUE)
    at = sound.index((50).to_bytes(4, "big") + (1).to_bytes(4, "big"))
    divided_by_zero = sound[: at + 4] + bytes(4) + sound[at + 8 :]
    pointer = sound.index((0x8825).to_bytes(2, "big")) + 8
    led_astray = sound[:pointer] + b"\xff\xff\xff\x7f" + sound[pointer + 4 :]
    assert picture_facts(sound).place is not None
    for data in (divided_by_zero, led_astray):
        assert picture_facts(data).place is None
        assert open_picture(data).size == (8, 8)


def test_it_is_written_as_maps_take_it() -> None:
    assert str(Place(50.0875, -14.42125)) == "50.087500, -14.421250"


def test_places_of_these_tests_are_read_as_they_were_meant() -> None:
    assert place_of(gps(-33.8568, 151.2153)) == pytest.approx((-33.8568, 151.2153))
