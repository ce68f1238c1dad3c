"""HEIC, as telephones write it: real files, made here by the encoder beside the decoder."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from polyglance.data.decode import PictureFacts, open_picture, picture_facts
from polyglance.errors import PictureError
from support.places import gps
from support.scene import HEIGHT, WIDTH, encoded, scene

EXIF_ENTRY = ">HHIH"  # tag, type, count and value
UNUSED = 0x0113
ORIENTATION, EXIF_IFD, GPS_IFD, TAKEN = 0x0112, 0x8769, 0x8825, 0x9003


@pytest.fixture(autouse=True, scope="module")
def encoder() -> None:
    pillow_heif.register_heif_opener()


def heic(image: Image.Image, **options: Any) -> bytes:
    return encoded(image, "HEIF", quality=95, **options)


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[ORIENTATION] = orientation
    block[GPS_IFD] = gps(50.0875, 14.4213)
    block.get_ifd(EXIF_IFD)[TAKEN] = "2024:05:06 07:08:09"
    return block.tobytes()


def same(first: Image.Image, second: Image.Image) -> bool:
    """Whether two pictures differ by no more than compression."""
    if first.size != second.size:
        return False
    return np.abs(np.asarray(first).astype(int) - np.asarray(second)).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_date_and_place_are_those_of_a_jpeg(orientation: int) -> None:
    image = Image.fromarray(scene())
    found = heic(image, exif=exif(orientation))
    jpeg = encoded(image, "JPEG", quality=95, exif=exif(orientation))
    assert same(open_picture(found), open_picture(jpeg))
    facts = picture_facts(found)
    assert facts == picture_facts(jpeg)
    size = (HEIGHT, WIDTH) if orientation > 4 else (WIDTH, HEIGHT)
    assert facts[:2] == size
    assert facts.date == "2024-05-06T07:08:09"
    assert facts.place == pytest.approx((50.0875, 14.4213))


def test_what_is_turned_by_the_container_and_by_exif_is_turned_once() -> None:
    # Telephones say it in both places; the encoder only in the container's, and drops EXIF's tag.
    block = Image.Exif()
    block[ORIENTATION] = block[UNUSED] = 6
    once = heic(Image.fromarray(scene()), exif=block.tobytes())
    unused, turned = (struct.pack(EXIF_ENTRY, tag, 3, 1, 6) for tag in (UNUSED, ORIENTATION))
    assert once.count(unused) == 1
    twice = once.replace(unused, turned)
    assert same(open_picture(twice), open_picture(once))
    assert picture_facts(twice)[:2] == (HEIGHT, WIDTH)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_modes_become_plain_rgb(mode: str) -> None:
    expected = open_picture(encoded(Image.fromarray(scene()).convert(mode), "PNG"))
    found = open_picture(heic(Image.fromarray(scene()).convert(mode)))
    assert (type(found), found.mode) == (Image.Image, "RGB")
    assert same(found, expected)


def test_transparency_is_laid_on_white() -> None:
    image = Image.fromarray(scene()).convert("RGBA")
    image.putalpha(0)
    assert np.asarray(open_picture(heic(image))).min() > 250


def test_ten_bits_a_channel_are_scaled() -> None:
    wide = (scene().astype(np.uint16) << 8).tobytes()
    file = BytesIO()
    pillow_heif.encode("RGB;16", (WIDTH, HEIGHT), wide, file, quality=95)
    assert same(open_picture(file.getvalue()), Image.fromarray(scene()))


def test_of_several_pictures_the_primary_one_is_taken() -> None:
    file = pillow_heif.HeifFile()
    for value in (60, 180, 120):
        file.add_from_pillow(Image.new("RGB", (WIDTH, HEIGHT), (value,) * 3))
    data = BytesIO()
    file.save(data, quality=95, primary_index=1)
    assert abs(int(np.asarray(open_picture(data.getvalue())).mean()) - 180) < 3


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    data = heic(Image.fromarray(scene(10)))
    with pytest.raises(PictureError, match="600 × 400 pixels, more than the limit of 1,000"):
        open_picture(data, max_pixels=1000)
    assert picture_facts(data) == PictureFacts(600, 400, None, None)


def test_damage_is_a_picture_error_or_a_picture() -> None:
    sound = heic(Image.fromarray(scene(10)), exif=exif(6))
    for kept in (13, 20, 40, 100, len(sound) // 2, len(sound) - 10):
        with pytest.raises(PictureError, match=r"cannot be decoded|not a picture"):
            open_picture(sound[:kept])
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = np.frombuffer(sound, np.uint8).copy()
        damaged[rng.integers(0, len(damaged), 6)] = rng.integers(0, 255, 6)
        for read in (lambda data: open_picture(data, max_pixels=10**6), picture_facts):
            try:
                read(damaged.tobytes())
            except PictureError:
                refused += 1
    assert 0 < refused < 600


def test_a_name_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "IMG_0001.JPG"  # what some programs call it when they copy it
    path.write_bytes(heic(Image.fromarray(scene())))
    assert same(open_picture(path), Image.fromarray(scene()))
