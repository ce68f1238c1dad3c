"""The zoo: every kind of picture file that a folder may hold, made here with Pillow."""

from __future__ import annotations

import os
import struct
import sys
import threading
import warnings
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile, PngImagePlugin

from polyglance.data.decode import (
    IMAGE_SUFFIXES,
    MAX_PIXELS,
    PictureFacts,
    open_picture,
    picture_facts,
)
from polyglance.errors import PictureError
from support.scene import HEIGHT, WIDTH, encoded, scene

LOSSLESS = ["PNG", "BMP", "TIFF", "PPM"]
LOSSY = ["JPEG", "WEBP", "AVIF"]
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)  # that begins like one


def pixels_of(source: Any, **options: Any) -> NDArray[np.int16]:
    return np.asarray(open_picture(source, **options)).astype(np.int16)


@pytest.mark.parametrize("kind", LOSSLESS + LOSSY + ["GIF"])
def test_every_format_becomes_plain_rgb(kind: str) -> None:
    picture = open_picture(encoded(Image.fromarray(scene()), kind))
    assert type(picture) is Image.Image
    assert picture.mode == "RGB"
    assert picture.info == {}
    difference = np.abs(np.asarray(picture).astype(int) - scene())
    assert np.median(difference) <= (3 if kind in LOSSY else 0)


# How a camera that was held so stores the upright scene (EXIF 2.32, tag 0x0112).
STORED = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, 1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: np.rot90(x, -1),
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_give_the_same_pixels(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](scene())))
    exact = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    data = encoded(stored, kind, exif=exif, **exact)
    found = pixels_of(data)
    assert found.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(found - scene()).max() <= (3 if kind == "JPEG" else 0)
    assert picture_facts(data)[:2] == (WIDTH, HEIGHT)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(scene()), "PNG", exif=exif)
    assert np.array_equal(pixels_of(data), scene())


def test_a_broken_exif_block_does_not_cost_the_picture() -> None:
    data = encoded(
        Image.fromarray(scene()), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f", quality=95
    )
    assert pixels_of(data).shape == (HEIGHT, WIDTH, 3)
    assert picture_facts(data) == PictureFacts(WIDTH, HEIGHT, None, None)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_keeps_its_colours(kind: str) -> None:
    data = encoded(Image.fromarray(scene()).convert("CMYK"), kind)
    assert Image.open(BytesIO(data)).mode == "CMYK"
    assert np.median(np.abs(pixels_of(data) - scene())) <= 4


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_greys_are_scaled_not_clipped(kind: str) -> None:
    greys = np.linspace(0, 65535, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)
    data = encoded(Image.fromarray(greys), kind)
    expected = np.round(greys / 257.0)
    assert np.abs(pixels_of(data)[..., 0] - expected).max() <= 1
    assert np.abs(pixels_of(data)[..., 2] - expected).max() <= 1


def test_wider_greys_find_their_range() -> None:
    ramp = np.linspace(0, 1, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    for greys in (ramp, ramp * 255, (ramp * 255).astype(np.int32), (ramp * 65535).astype(np.int32)):
        found = pixels_of(encoded(Image.fromarray(greys), "TIFF"))[..., 0]
        assert np.abs(found - ramp * 255).max() <= 1
    dark = np.full((2, 2), np.nan, np.float32)
    assert pixels_of(encoded(Image.fromarray(dark), "TIFF")).max() == 0


@pytest.mark.parametrize("mode", ["1", "L", "P", "PA", "LA", "YCbCr", "LAB", "I", "F"])
def test_every_mode_of_tiff_is_read(mode: str) -> None:
    image = Image.fromarray(scene()).convert(mode)
    found = pixels_of(encoded(image, "TIFF"))
    grey = mode in {"1", "L", "LA", "I", "F"}
    expected = np.asarray(image.convert("L" if grey else "RGB" if mode != "LAB" else mode))
    if mode != "LAB":
        wanted = expected[..., None] if grey else expected
        assert np.abs(found - wanted).max() <= 2
    else:
        assert np.median(np.abs(found - scene())) <= 12


def clear_left_half() -> Image.Image:
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    alpha[:, :30] = 0
    return Image.fromarray(np.concatenate([scene(), alpha], axis=2))


@pytest.mark.parametrize("form", ["RGBA", "LA", "P with a clear colour", "WEBP", "GIF", "RGB key"])
def test_what_is_transparent_becomes_white(form: str) -> None:
    image = clear_left_half()
    if form == "LA":
        data = encoded(image.convert("LA"), "PNG")
    elif form == "P with a clear colour":
        data = encoded(image.quantize(8), "PNG")
    elif form == "GIF":
        data = encoded(image, "GIF")
    elif form == "WEBP":
        data = encoded(image, "WEBP", lossless=True)
    elif form == "RGB key":
        plain = scene()
        plain[:, :30] = 1, 2, 3
        data = encoded(Image.fromarray(plain), "PNG", transparency=(1, 2, 3))
    else:
        data = encoded(image, "PNG")
    found = pixels_of(data)
    assert (found[:, :30] == 255).all()
    assert not (found[:, 30:] == 255).any()


def test_half_transparent_is_mixed_with_white() -> None:
    image = Image.new("RGBA", (4, 4), (0, 100, 255, 128))
    assert np.abs(pixels_of(encoded(image, "PNG")) - [127, 177, 255]).max() <= 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert getattr(Image.open(BytesIO(data)), "n_frames", 1) == 3
    assert (pixels_of(data) == [255, 0, 0]).all()


@pytest.mark.parametrize("kind", LOSSLESS + LOSSY + ["GIF"])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.8])
def test_a_file_cut_short_is_an_error_not_half_a_picture(kind: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(PictureError, match=r"cannot be decoded|not a picture"):
        open_picture(data[: int(len(data) * kept)])


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and has no pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [14_200, 100_000])
def test_a_pixel_bomb_is_refused_without_a_warning(side: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(
            PictureError, match=f"{side} × {side} pixels, more than the limit of 128,000,000"
        ):
            open_picture(png_header(side, side), target_size=224)
        facts = picture_facts(png_header(side, side))
    assert facts == PictureFacts(side, side, None, None)


def test_large_but_allowed_pictures_do_not_warn() -> None:
    side = 10_000  # 100 megapixels: Pillow by itself would warn
    data = encoded(Image.new("1", (side, side)), "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_picture(data).size == (side, side)


def test_the_limit_can_be_chosen() -> None:
    data = encoded(Image.fromarray(scene()), "PNG")
    assert open_picture(data, max_pixels=HEIGHT * WIDTH).size == (WIDTH, HEIGHT)
    with pytest.raises(PictureError, match="60 × 40 pixels, more than the limit of 2,399"):
        open_picture(data, max_pixels=HEIGHT * WIDTH - 1)


def test_a_jpeg_decoded_at_a_fraction_may_be_twice_as_large_and_no_more() -> None:
    data = encoded(Image.new("RGB", (1600, 1200)), "JPEG")
    limit = 1600 * 1200 // 2
    assert open_picture(data, max_pixels=limit, target_size=100).size == (400, 300)
    with pytest.raises(PictureError, match="more than the limit"):
        open_picture(data, max_pixels=limit)
    with pytest.raises(PictureError, match="more than the limit"):
        open_picture(data, max_pixels=limit - 1, target_size=100)


def test_a_target_size_reduces_large_jpegs_and_hardly_changes_the_outcome() -> None:
    rng = np.random.default_rng(0)
    rough = Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8))
    data = encoded(rough.resize((1600, 1200), Image.Resampling.BICUBIC), "JPEG", quality=92)
    reduced = open_picture(data, target_size=150)
    assert reduced.size == (400, 300)  # a quarter, still twice the target
    assert open_picture(data, target_size=1000).size == (1600, 1200)
    small = (200, 150)
    whole = open_picture(data).resize(small, Image.Resampling.BICUBIC)
    difference = np.abs(
        np.asarray(whole).astype(int) - np.asarray(reduced.resize(small, Image.Resampling.BICUBIC))
    )
    assert difference.mean() < 1


def test_a_target_size_leaves_other_formats_alone() -> None:
    data = encoded(Image.fromarray(scene()), "PNG")
    assert np.array_equal(pixels_of(data, target_size=4), scene())


def test_what_is_no_picture_says_so(tmp_path: Path) -> None:
    cases = {
        "empty.jpg": (b"", "empty (0 bytes)"),
        "text.jpg": (b"This is no picture, it is a text." * 9, "not a picture in a known format"),
        "page.png": (b"<html><body><img src='a.png'></body></html>", "not a picture in a known"),
        "script.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a picture in a known format"),
        "byte.jpg": (b"x", "not a picture in a known format"),
        "jpeg.jpg": (b"\xff\xd8\xff", "cannot be decoded"),
        "zeros.jpg": (bytes(1000), "not a picture in a known format"),
        "phone.heic": (HEIC, "cannot be decoded"),
    }
    for name, (data, reason) in cases.items():
        path = tmp_path / name
        path.write_bytes(data)
        for read in (open_picture, picture_facts):
            with pytest.raises(PictureError) as caught:
                read(path)
            assert str(caught.value).startswith(f"{path}: ")
            assert reason in str(caught.value)
            assert "\n" not in str(caught.value)


def test_heic_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for read in (open_picture, picture_facts):
        with pytest.raises(PictureError, match=r"HEIC; install the extra 'polyglance\[heif\]'"):
            read(HEIC)


def test_what_is_no_file_says_so_and_never_blocks(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    for path, reason in [
        (tmp_path / "pipe.jpg", "a pipe or device"),
        (Path("/dev/zero"), "a pipe or device"),
        (tmp_path / "folder.jpg", "a folder"),
        (tmp_path / "absent.jpg", "no such file"),
        (tmp_path / "loop.jpg", "cannot be read"),
        (tmp_path / "nul\0.jpg", "cannot be read"),
    ]:
        with pytest.raises(PictureError, match=reason):
            open_picture(path)


def test_a_file_that_may_not_be_read_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "1.png"
    path.write_bytes(encoded(Image.fromarray(scene()), "PNG"))

    def refuse(*_: Any) -> None:  # the super-user may read every file, whatever its mode
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PictureError, match=r"1\.png: cannot be read: Permission denied"):
        open_picture(path)


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really a png.jpg"
    path.write_bytes(encoded(Image.fromarray(scene()), "PNG"))
    for source in (path, str(path), path.read_bytes(), BytesIO(path.read_bytes())):
        assert np.array_equal(pixels_of(source), scene())
    with path.open("rb") as file:
        assert open_picture(file).size == (WIDTH, HEIGHT)
        assert not file.closed


def test_random_damage_is_a_picture_error_or_a_picture() -> None:
    rng = np.random.default_rng(1)
    for kind in [*LOSSLESS, *LOSSY, "GIF"]:
        sound = np.frombuffer(encoded(Image.fromarray(scene()), kind), np.uint8)
        for _ in range(60):
            damaged = sound.copy()
            places = rng.integers(0, len(damaged), 6)
            damaged[places] = rng.integers(0, 255, 6)
            for read in (lambda data: open_picture(data, max_pixels=10**6), picture_facts):
                with suppress(PictureError):  # and nothing else
                    read(damaged.tobytes())


def test_a_bomb_of_text_inside_a_png_is_an_error() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * 80_000_000, zip=True)
    data = encoded(Image.fromarray(scene()), "PNG", pnginfo=info)
    assert len(data) < 100_000
    with pytest.raises(PictureError, match="cannot be decoded"):
        open_picture(data)


def test_pillow_is_left_as_it_was() -> None:
    before = (ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    open_picture(encoded(Image.fromarray(scene()), "JPEG"), target_size=10)
    with pytest.raises(PictureError):
        open_picture(png_header(100_000, 100_000))
    after = (ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    assert after == before


def test_many_threads_decode_the_same() -> None:
    sources = [encoded(Image.fromarray(scene()), kind) for kind in LOSSLESS] * 8
    found: list[bool] = []

    def decode() -> None:
        found.extend(np.array_equal(pixels_of(source), scene()) for source in sources)

    threads = [threading.Thread(target=decode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * len(sources) * 4


@pytest.mark.parametrize(
    ("tags", "date"),
    [
        ({0x9003: "2024:05:31 18:30:00"}, "2024-05-31T18:30:00"),
        ({0x9003: "2024:05:31 18:30:00", 0x9011: "+02:00"}, "2024-05-31T18:30:00+02:00"),
        ({0x9003: "2024:05:31 18:30:00", 0x9011: "soon"}, "2024-05-31T18:30:00"),
        ({0x9004: "2023:01:02 03:04:05"}, "2023-01-02T03:04:05"),
        ({0x9003: "0000:00:00 00:00:00"}, None),
        ({0x9003: "    :  :     :  :  "}, None),
        ({0x9003: "yesterday"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_date_is_when_the_picture_was_taken(
    kind: str, tags: dict[int, str], date: str | None
) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8769).update(tags)
    data = encoded(Image.fromarray(scene()), kind, exif=exif)
    assert picture_facts(data) == PictureFacts(WIDTH, HEIGHT, date, None)


def test_the_date_of_the_file_serves_where_no_other_is_given() -> None:
    exif = Image.Exif()
    exif[0x0132] = "2022:02:02 02:02:02"
    data = encoded(Image.fromarray(scene()), "JPEG", exif=exif)
    assert picture_facts(data).date == "2022-02-02T02:02:02"


def test_suffixes_are_lower_case_and_start_with_a_full_stop() -> None:
    assert all(suffix.startswith(".") and suffix.islower() for suffix in IMAGE_SUFFIXES)
    assert {".jpg", ".jpeg", ".png", ".webp", ".heic", ".svg", ".dng", ".nef"} <= IMAGE_SUFFIXES
    assert MAX_PIXELS > 108e6


@pytest.mark.flickr8k
def test_real_photos_decode(flickr8k: Path) -> None:
    paths = sorted((flickr8k / "images").iterdir())[:50]
    assert {open_picture(path).size for path in paths} == {(224, 224)}
