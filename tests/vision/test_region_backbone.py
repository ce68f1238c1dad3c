from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from polyglance.errors import ModelError
from polyglance.systems.fingerprint import state_fingerprint
from polyglance.vision.boxes import pool_boxes
from polyglance.vision.detector import Detections
from polyglance.vision.inference import freeze
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.region_backbone import RegionBackbone
from polyglance.vision.region_encoder import RegionEncoder
from polyglance.vision.resnet import ResNet

PIXELS = torch.randint(
    0, 256, (3, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


class Corners:
    """Finds as many objects as the picture's first byte says, each in a corner of its own."""

    fingerprint = "corners"

    def __call__(self, pixels: Tensor, *, limit: int) -> Detections:
        count = min(int(pixels[0, 0, 0]) % 4, limit)
        boxes = torch.tensor([[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0.2, 0.4, 0.9, 1.0]])[:count]
        return Detections(boxes=boxes, probabilities=boxes[:, :2], scores=boxes[:, 2])


def regions(count: int = 5) -> RegionBackbone:
    torch.manual_seed(0)
    backbone = ResNet(
        depths=(1, 1), width=4, std=(60, 60, 60), preprocessing=Preprocessing(size=64), classes=3
    )
    return RegionBackbone(backbone=backbone, detector=Corners(), regions=count).eval()


def pictures(*counts: int) -> Tensor:
    pixels = PIXELS[: len(counts)].clone()
    pixels[:, 0, 0, 0] = torch.tensor(counts)
    return pixels


def test_whole_picture_then_objects_then_zeros() -> None:
    model, pixels = regions(), pictures(2, 0, 3)
    grid, pooled, placed = model(pixels)
    assert grid.shape == (3, model.channels, 5, 1)
    inside = model.backbone(pixels)
    torch.testing.assert_close(pooled, inside.pooled)
    whole = torch.tensor([[[0.0, 0.0, 1.0, 1.0]]])
    for picture, count in enumerate((2, 0, 3)):
        alone = inside.grid[picture : picture + 1]
        boxes = torch.cat([whole[0], model.detector(pixels[picture], limit=9).boxes])
        assert torch.equal(placed[picture, : count + 1], boxes)
        torch.testing.assert_close(
            grid[picture, :, : count + 1, 0].mT, pool_boxes(alone, boxes[None])[0]
        )
        assert (grid[picture, :, count + 1 :] == 0).all()
        assert (placed[picture, count + 1 :] == 0).all()
    torch.testing.assert_close(model.classify(pooled), model.backbone.classify(pooled))


def test_no_more_regions_than_asked_for() -> None:
    assert regions(2)(pictures(3))[0].shape[2:] == (2, 1)
    assert (regions(1)(pictures(3))[0] != 0).any()
    with pytest.raises(ValueError, match="one region at least"):
        regions(0)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_photo_goes_all_the_way(frozen: bool) -> None:
    model = regions()
    if frozen:
        freeze(model)
    encoder = RegionEncoder(backbone=model, non_local=None, dimension=6, keep_tokens=True)
    features = encoder(pictures(2, 0, 3))
    assert features.mask is not None
    assert features.mask.sum(1).tolist() == [3, 1, 4]
    stored = encoder.backbone_features(pictures(2, 0, 3)).half()  # as a feature store keeps them
    torch.testing.assert_close(encoder(stored).embedding, features.embedding, rtol=0, atol=5e-3)
    weights = torch.randn(6, generator=torch.Generator().manual_seed(0))
    (features.embedding @ weights).sum().backward()
    stem = model.backbone.stem.weight.grad
    assert stem is None if frozen else (stem is not None and stem.abs().sum() > 0)


def test_other_boxes_are_another_backbone(tmp_path: Path) -> None:
    model, same, fewer = regions(), regions(), regions(4)
    assert state_fingerprint(model) == state_fingerprint(same)
    assert state_fingerprint(model) != state_fingerprint(fewer)
    same.load_state_dict(model.state_dict())
    with pytest.raises(ModelError, match="another object detector"):
        fewer.load_state_dict(model.state_dict())
    model.save_architecture(tmp_path)
    assert not list(tmp_path.iterdir())  # a ResNet needs nothing beside its configuration
