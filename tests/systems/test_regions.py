"""Regions of photos, from the configuration to a checkpoint and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tests.systems.tiny_backbone import TINY
from torch import Tensor

from polyglance.errors import ModelError
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import CONFIG, load_checkpoint, save_system
from polyglance.systems.config import (
    DetectorConfig,
    DualEncoderConfig,
    LearnedWordsConfig,
    RecurrentTextConfig,
    RegionImageConfig,
    ResNet50Config,
    TransformersBackboneConfig,
)
from polyglance.systems.dual_encoder import DualEncoder
from polyglance.vision import pretrained
from polyglance.vision.detector import Detections, Detector
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.region_backbone import RegionBackbone
from polyglance.vision.resnet import ResNet

TEXTS = ["a dog", "two red cars", "a boat"]
PIXELS = torch.randint(
    0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


class Halves:
    """Finds two objects in every picture: its left half and its right half."""

    def __init__(self, fingerprint: str = "halves") -> None:
        self.fingerprint = fingerprint

    def __call__(self, pixels: Tensor, *, limit: int) -> Detections:
        boxes = torch.tensor([[0, 0, 0.5, 1], [0.5, 0, 1, 1]])[:limit]
        return Detections(boxes=boxes, probabilities=boxes[:, :2], scores=boxes[:, 2])


def small_tower(name: str, *, preprocessing: Preprocessing | None = None) -> ResNet:
    """Stands where the pretrained ResNet-50 would."""
    torch.manual_seed(0)
    return ResNet(depths=(1, 1), width=4, std=(60, 60, 60), preprocessing=Preprocessing(size=32))


@pytest.fixture(autouse=True)
def _parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Detector, "load", Halves)
    monkeypatch.setattr(pretrained, "load_tower", small_tower)


def built(backbone: ResNet50Config | TransformersBackboneConfig) -> DualEncoder:
    torch.manual_seed(0)
    config = DualEncoderConfig(
        dimension=24,
        image=RegionImageConfig(
            backbone=DetectorConfig(backbone=backbone, regions=4),
            non_local="residual",
            keep_tokens=True,
        ),
        text=RecurrentTextConfig(
            words=LearnedWordsConfig(min_frequency=1, dimension=16), hidden_size=32
        ),
    )
    system = build_system(config, training_texts={"en": TEXTS}).eval()
    assert isinstance(system, DualEncoder)
    assert isinstance(system.image.backbone, RegionBackbone)
    return system


@pytest.mark.parametrize("backbone", [ResNet50Config(size=32), TINY])
def test_a_checkpoint_gives_the_same_regions(
    backbone: ResNet50Config | TransformersBackboneConfig, tmp_path: Path
) -> None:
    system = built(backbone)
    before = system.encode_images(PIXELS)
    assert before.mask is not None
    assert before.mask.sum(1).tolist() == [3, 3, 3]
    save_system(system, tmp_path / "model", languages=["en"])
    after = load_checkpoint(tmp_path / "model").system.eval().encode_images(PIXELS)
    torch.testing.assert_close(after.embedding, before.embedding)
    torch.testing.assert_close(after.tokens, before.tokens)
    towers = json.loads((tmp_path / "model" / CONFIG).read_text())["towers"]
    names = {prefix: tower["name"] for prefix, tower in towers.items()}
    expected = {"image.backbone": "detector resnet50"} if backbone != TINY else {}
    assert names == expected


@pytest.mark.parametrize("backbone", [ResNet50Config(size=32), TINY])
def test_another_detector_is_refused(
    backbone: ResNet50Config | TransformersBackboneConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    system = built(backbone)
    save_system(system, tmp_path / "model", languages=["en"])
    monkeypatch.setattr(Detector, "load", lambda: Halves("other halves"))
    assert built(backbone).backbone_fingerprint() != system.backbone_fingerprint()
    with pytest.raises(ModelError, match=r"another .*polyglance download detector"):
        load_checkpoint(tmp_path / "model")
