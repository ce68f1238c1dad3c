"""RAW photos: their preview, upright and dated; told from other TIFFs; damaged ones refused."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from polyglance.data.decode import PictureFacts, open_picture, picture_facts
from polyglance.data.outside import convert
from polyglance.data.outside.child import Refused
from polyglance.data.outside.formats import RAW, SVG, format_of
from polyglance.data.outside.raw import preview
from polyglance.errors import PictureError
from polyglance.search.indexer import index
from support.colours import PALETTE, ColourEncoder, picture
from support.raws import dng

RED = Image.new("RGB", (60, 40), PALETTE["red"])
DATE = "2024:05:31 18:30:00"


def test_the_preview_is_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "photo.dng"
    path.write_bytes(dng(RED, date=DATE))
    photo = open_picture(path)
    assert photo.size == (60, 40)
    assert np.abs(np.asarray(photo).astype(int) - PALETTE["red"]).max() <= 3
    assert picture_facts(path) == PictureFacts(60, 40, "2024-05-31T18:30:00", None)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_it_is_upright(orientation: int) -> None:
    stored = Image.new("RGB", (60, 40), PALETTE["red"])
    stored.paste(PALETTE["blue"], (0, 0, 20, 15))
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = BytesIO()
    stored.save(plain, "PNG", exif=exif)
    expected = np.asarray(open_picture(plain.getvalue())).astype(int)
    found = np.asarray(open_picture(dng(stored, orientation=orientation))).astype(int)
    assert found.shape == expected.shape
    assert np.median(np.abs(found - expected)) <= 3


def test_a_photo_that_has_no_date_gets_none() -> None:
    assert picture_facts(dng(RED)).date is None


def test_without_a_preview_it_is_developed() -> None:
    photo = open_picture(dng(None, orientation=6))
    assert photo.size == (24, 32)  # half the sensor's size, upright
    red, green, blue = np.asarray(photo).mean((0, 1))
    assert green > 200 > 50 > max(red, blue)


def test_formats_are_told_by_their_content() -> None:
    tiff, page = BytesIO(), BytesIO()
    RED.save(tiff, "TIFF")
    Image.new("L", (9, 9)).save(page, "TIFF", tiffinfo={254: 1, 271: "A scanner"})
    nikon = tiff.getvalue().replace(
        b"\x03\x01\x03\0\x01\0\0\0\x01\0", b"\x03\x01\x03\0\x01\0\0\0\x99\x87"
    )
    assert nikon != tiff.getvalue()
    known = {
        tiff.getvalue(): None,
        page.getvalue(): None,
        tiff.getvalue()[:30]: None,
        b"II*\0": None,
        nikon: RAW,
        dng(RED): RAW,
        dng(None): RAW,
        b"II*\0\x10\0\0\0CR\x02\0": RAW,
        b"IIRO\x08\0": RAW,
        b"FUJIFILMCCD-RAW 0201": RAW,
        b"\0\0\0\x18ftypcrx \0\0\0\1": RAW,
        b"\xef\xbb\xbf\n<?xml version='1.0'?><!-- me -->\n<svg:svg/>": SVG,
        b"<svgs/>": None,
        b"<html/>": None,
        b"\xff\xd8\xff<svg>": None,
        b"": None,
    }
    for data, form in known.items():
        file = BytesIO(data)
        assert format_of(file) is form, data[:20]
        assert file.tell() == 0


def test_damaged_photos_are_refused() -> None:
    whole = dng(RED, date=DATE)
    for data in (b"FUJIFILMCCD-RAW" + bytes(200), b"IIRO\x08\0" + bytes(100), whole[:200]):
        with pytest.raises(PictureError):
            open_picture(data)
    with pytest.raises(Refused, match="cannot be decoded: Unsupported file format"):
        preview(b"IIRO\x08\0" + bytes(100))


def test_indexing_skips_what_it_must_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    picture(photos / "a.png", "green")
    (photos / "photo.DNG").write_bytes(dng(RED, date=DATE))
    (photos / "broken.nef").write_bytes(b"II*\0" + bytes(300))
    (photos / "broken.orf").write_bytes(b"IIRO" + bytes(300))
    summary = index(photos, tmp_path / "collection", encoder=ColourEncoder())
    assert summary.indexed == 2
    assert [path for path, _ in summary.skipped] == ["broken.nef", "broken.orf"]
    monkeypatch.setattr(convert, "find_spec", lambda name: None)
    (photos / "other.dng").write_bytes(dng(RED))
    summary = index(photos, tmp_path / "collection", encoder=ColourEncoder())
    reason = dict(summary.skipped)["other.dng"]
    assert reason == "a RAW photo; install the extra 'polyglance[raw]' to read it"


def test_random_damage_never_breaks_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "SECONDS", 10.0)
    rng = np.random.default_rng(1)
    sound = np.frombuffer(dng(RED, date=DATE), np.uint8)
    for _ in range(6):
        damaged = sound.copy()
        places = rng.integers(0, 400, 6)
        damaged[places] = rng.integers(0, 255, 6)
        with suppress(PictureError):  # and nothing else
            open_picture(damaged.tobytes(), max_pixels=10**6)
