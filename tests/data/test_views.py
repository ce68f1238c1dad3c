"""Views of a picture: fixed crops, taken in turns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from polyglance.data.dataset import FeatureSource, PixelSource
from polyglance.data.feature_building import build_feature_store
from polyglance.data.record import Record
from polyglance.data.views import AREA, View, view_number
from polyglance.vision.preprocessing import Preprocessing

WIDTH, HEIGHT = 80, 60


def gradient() -> Image.Image:
    """Red tells the column and green the row."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return Image.fromarray(np.stack([columns, rows, 0 * rows], axis=-1).astype(np.uint8))


def test_the_first_view_is_the_picture_and_the_others_are_crops_of_it() -> None:
    picture, mirrored = gradient(), 0
    for number in range(1, 40):
        seen = np.asarray(View(Record(id="a"), number).frame(picture)).astype(int)
        height, width, _ = seen.shape
        assert width <= WIDTH
        assert height <= HEIGHT
        # Cut to the picture's sides, a crop may be smaller than its share, by its aspect at most.
        assert AREA[0] * 3 / 4 <= width * height / (WIDTH * HEIGHT) <= AREA[1]
        across = np.diff(seen[0, :, 0])
        assert (across == 1).all() or (across == -1).all()
        assert (np.diff(seen[:, 0, 1]) == 1).all()
        mirrored += int((across == -1).all())
    assert 10 < mirrored < 30
    assert View(Record(id="a")).frame(picture) is picture


def test_a_view_depends_on_the_picture_and_the_number_alone() -> None:
    def view(name: str, number: int) -> np.ndarray:
        return np.asarray(View(Record(id=name), number).frame(gradient()))

    assert np.array_equal(view("a", 1), view("a", 1))
    for other in (view("a", 2), view("b", 1)):
        assert other.shape != view("a", 1).shape or not np.array_equal(other, view("a", 1))


def test_epochs_take_turns() -> None:
    for picture in range(4):
        assert sorted(view_number(picture, epoch, 3) for epoch in range(3)) == [0, 1, 2]
    assert len({view_number(picture, 0, 3) for picture in range(3)}) == 3
    assert view_number(7, 5, 1) == 0


def test_stored_views_are_those_that_pixels_show(tmp_path: Path) -> None:
    gradient().save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    records = [Record(id=name, image=tmp_path / f"{name}.png") for name in "ab"]
    preprocessing = Preprocessing(size=8)
    store, report = build_feature_store(
        records,
        encode=lambda pixels: pixels.float().flatten(1),
        preprocessing=preprocessing,
        fingerprint="f",
        folder=tmp_path / "store",
        views=3,
    )
    assert report.encoded == 3
    assert list(report.skipped) == ["b"]
    stored = FeatureSource(records, store=store, views=3)
    pixels = PixelSource(records, preprocessing=preprocessing, views=3)
    shown = [stored.load([0, 1], epoch=epoch) for epoch in range(4)]
    for epoch, found in enumerate(shown):
        assert found.indices == [0]
        whole = pixels.load([0], epoch=epoch).images
        assert torch.equal(found.images.float(), whole.float().flatten(1))
    assert torch.equal(shown[0].images, shown[3].images)
    assert not torch.equal(shown[0].images, shown[1].images)
