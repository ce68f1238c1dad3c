"""The real towers, where `polyglance download mini` has put them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from polyglance.errors import WeightsError
from polyglance.vision.inference import freeze
from polyglance.vision.pretrained import load_tower
from polyglance.vision.resnet import ResNet

pytestmark = pytest.mark.towers


@pytest.fixture(scope="module")
def tower() -> ResNet:
    try:
        loaded = load_tower("resnet50")
    except WeightsError as error:
        pytest.skip(f"the pretrained towers are absent: {error}")
    assert isinstance(loaded, ResNet)
    return loaded


def stop_sign() -> Image.Image:
    """A red octagon on a pole under a blue sky."""
    picture = Image.new("RGB", (448, 448), (150, 190, 230))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((214, 300, 234, 448), fill=(120, 120, 120))
    draw.regular_polygon((224, 190, 150), 8, rotation=22, fill=(255, 255, 255))
    draw.regular_polygon((224, 190, 138), 8, rotation=22, fill=(190, 20, 30))
    draw.text((224, 190), "STOP", fill=(255, 255, 255), anchor="mm", font_size=90)
    return picture


def test_it_recognises_what_is_drawn(tower: ResNet) -> None:
    pixels = torch.from_numpy(tower.preprocessing(stop_sign()))[None]
    with torch.no_grad():
        best = tower.classify(tower(pixels).pooled).topk(3).indices[0]
    assert "street sign" in [tower.class_names[index] for index in best]


@pytest.mark.parametrize(
    ("emoji", "name"),
    [
        ("1f3d0", "volleyball"),
        ("1f484", "lipstick"),
        ("1f489", "syringe"),
        ("1f528", "hammer"),
        ("1f576-fe0f", "sunglasses"),
    ],
)
def test_it_recognises_emoji(tower: ResNet, emoji: str, name: str) -> None:
    from polyglance.weights.fetch import ensure

    try:
        path: Path = ensure("emoji") / "images" / f"{emoji}.webp"
    except WeightsError as error:
        pytest.skip(f"the sample pictures are absent: {error}")
    layer = Image.open(path).convert("RGBA")
    picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    pixels = torch.from_numpy(tower.preprocessing(picture))[None]
    with torch.no_grad():
        best = tower.classify(tower(pixels).pooled).topk(3).indices[0]
    assert name in {tower.class_names[index] for index in best}


def test_bfloat16_is_close_to_float32(tower: ResNet) -> None:
    pixels = torch.from_numpy(tower.preprocessing(stop_sign()))[None]
    with torch.no_grad():
        exact = tower(pixels).pooled
        rounded = freeze(load_tower("resnet50"), dtype=torch.bfloat16)(pixels).pooled
    assert torch.cosine_similarity(exact, rounded).item() > 0.999
