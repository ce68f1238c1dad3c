"""``Retriever.explain`` with a real system whose cells see nothing but colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from polyglance import Retriever
from polyglance.errors import ModelError, PictureError
from support.localiser import colour_localiser


@pytest.fixture(scope="module")
def retriever() -> Retriever:
    return colour_localiser()


def corners(path: Path) -> Path:
    """Four squares: red and green above blue and white."""
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[:30, :40] = (255, 0, 0)
    pixels[:30, 40:] = (0, 255, 0)
    pixels[30:, :40] = (0, 0, 255)
    pixels[30:, 40:] = (255, 255, 255)
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize(
    ("text", "language", "place"),
    [("red", "en", "top left"), ("grün", "de", "top right"), ("modrá", "cs", "bottom left")],
)
def test_the_peak_is_where_the_text_is(
    retriever: Retriever, tmp_path: Path, text: str, language: str, place: str
) -> None:
    path = corners(tmp_path / "corners.png")
    found = retriever.explain(path, text, language=language)
    assert str(found.peak) == place
    assert found.language == language
    assert found.values.dtype == np.float32
    assert found.values.shape == (8, 8)  # at twice the model's size
    assert found.visible == (0, 0, 1, 1)
    picture = Image.open(path)
    np.testing.assert_array_equal(
        retriever.explain(picture, text, language=language).values, found.values
    )
    score = retriever.encode_images([path]) @ retriever.encode_texts([text], language=language).T
    assert found.score == pytest.approx(float(score[0, 0]), abs=1e-5)


def test_a_language_that_is_not_given_is_said(retriever: Retriever, tmp_path: Path) -> None:
    assert retriever.explain(corners(tmp_path / "c.png"), "red").language == "und"


def test_what_a_crop_leaves_out_is_said(tmp_path: Path) -> None:
    cropping = colour_localiser(fit="crop")
    wide = Image.new("RGB", (200, 100), (255, 0, 0))
    assert cropping.explain(wide, "red").visible == (0.25, 0, 0.75, 1)


def test_pictures_that_cannot_be_read_are_named(retriever: Retriever, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"none\.jpg"):
        retriever.explain(tmp_path / "none.jpg", "red")


def test_models_that_see_pictures_as_a_whole_say_so(tmp_path: Path) -> None:
    whole = colour_localiser()
    whole.system.image.backbone.pools_by_mean = False
    assert not whole.localises
    with pytest.raises(ModelError, match="does not say where"):
        whole.explain(corners(tmp_path / "c.png"), "red")
