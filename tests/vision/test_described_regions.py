"""Regions with boxes and class probabilities, from grids, detectors and files."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from polyglance.errors import ModelError
from polyglance.systems.fingerprint import (
    Tower,
    combined_fingerprint,
    features_fingerprint,
    state_fingerprint,
)
from polyglance.vision.backbone_reader import present
from polyglance.vision.base import Backbone, BackboneFeatures
from polyglance.vision.boxes import cell_boxes, spans
from polyglance.vision.described_regions import DescribedRegions, RegionDescriber
from polyglance.vision.detector import Detections
from polyglance.vision.inference import freeze
from polyglance.vision.precomputed import PrecomputedBackbone
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.region_backbone import RegionBackbone
from polyglance.vision.region_encoder import RegionEncoder
from polyglance.vision.resnet import ResNet

SIDE = 7
PIXELS = torch.randint(
    0, 256, (3, 3, 56, 56), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


class Corners:
    """Finds as many objects as the picture's first byte says, and counts its pictures."""

    fingerprint = "corners"

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, pixels: Tensor, *, limit: int) -> Detections:
        self.seen += 1
        count = min(int(pixels[0, 0, 0]) % 4, limit)
        boxes = torch.tensor([[0, 0, 0.5, 0.5], [0.5003, 0, 1, 0.5], [0.2, 0.4, 0.9, 1]])[:count]
        return Detections(boxes=boxes, probabilities=boxes[:, :2], scores=boxes[:, 2])


def resnet(classes: int | None = 5) -> ResNet:
    torch.manual_seed(0)
    return ResNet(
        depths=(1, 1),
        width=4,
        classes=classes,
        std=(60, 60, 60),
        preprocessing=Preprocessing(size=56),
    )


def detector(found: Corners | None = None) -> RegionBackbone:
    return RegionBackbone(backbone=resnet(), detector=found or Corners(), regions=5)


def pictures(*counts: int) -> Tensor:
    pixels = PIXELS[: len(counts)].clone()
    pixels[:, 0, 0, 0] = torch.tensor(counts)
    return pixels


def by_hand(grid: Tensor, backbone: Backbone) -> tuple[Tensor, Tensor, Tensor]:
    """Cell by cell: features, boxes and probabilities of (batch, channels, rows, columns)."""
    rows, columns = grid.shape[2:]
    features, boxes, probabilities = [], [], []
    for row in range(rows):
        for column in range(columns):
            cell = grid[:, :, row, column]
            features.append(cell)
            box = [column / columns, row / rows, (column + 1) / columns, (row + 1) / rows]
            boxes.append(torch.tensor(box))
            powers = backbone.classify(cell).exp()
            probabilities.append(powers / powers.sum(1, keepdim=True))
    return torch.stack(features, 1), torch.stack(boxes), torch.stack(probabilities, 1)


def test_cells_of_a_grid_have_their_place_and_their_class() -> None:
    backbone = resnet()
    describer = RegionDescriber(backbone=backbone, probabilities=True)
    assert describer.keeps == "regions"
    assert describer.classes == 5
    found = describer(PIXELS)
    features, boxes, probabilities = by_hand(backbone(PIXELS).grid, backbone)
    torch.testing.assert_close(found.features, features)
    torch.testing.assert_close(found.boxes, boxes.expand(3, SIDE * SIDE, 4))
    torch.testing.assert_close(found.probabilities, probabilities)
    assert found.mask.all()
    assert found.mask.shape == (3, SIDE * SIDE)
    assert len(found) == 3
    assert RegionDescriber(backbone=backbone)(PIXELS).probabilities is None


@pytest.mark.parametrize("side", [1, 3, 4, 7])
def test_fewer_cells_are_the_adaptive_mean_of_all(side: int) -> None:
    describer = RegionDescriber(backbone=resnet(), probabilities=True, cells_per_side=side)
    found = describer(PIXELS)
    grid = describer.backbone(PIXELS).grid
    pooled = functional.adaptive_avg_pool2d(grid, side)
    features, _, probabilities = by_hand(pooled, describer.backbone)
    torch.testing.assert_close(found.features, features)
    torch.testing.assert_close(found.probabilities, probabilities)
    for cell, box in enumerate(found.boxes[0]):  # the mean is over the cells inside the box
        left, top, right, bottom = (box * SIDE).round().int().tolist()
        inside = grid[:, :, top:bottom, left:right].mean((2, 3))
        torch.testing.assert_close(found.features[:, cell], inside)
    weights = torch.randn_like(features)
    inputs = list(describer.backbone.stages.parameters())
    ours = torch.autograd.grad((found.features * weights).sum(), inputs)
    theirs = torch.autograd.grad((features * weights).sum(), inputs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


def test_spans_share_cells_where_they_do_not_divide() -> None:
    assert spans(7, 4) == [(0, 2), (1, 4), (3, 6), (5, 7)]
    assert spans(6, 3) == [(0, 2), (2, 4), (4, 6)]
    boxes = cell_boxes(spans(2, 2), spans(4, 2))
    assert boxes.tolist() == [
        [0, 0, 0.5, 0.5],
        [0.5, 0, 1, 0.5],
        [0, 0.5, 0.5, 1],
        [0.5, 0.5, 1, 1],
    ]


def test_pictures_of_another_size_have_another_grid() -> None:
    describer = RegionDescriber(backbone=resnet(), cells_per_side=2)
    larger = functional.interpolate(PIXELS.float(), 64).byte()  # a grid of 8 × 8
    found = describer(larger)
    pooled = functional.adaptive_avg_pool2d(describer.backbone(larger).grid, 2)
    torch.testing.assert_close(found.features, pooled.flatten(2).mT)
    assert found.boxes[0, 3].tolist() == [0.5, 0.5, 1, 1]
    assert describer(PIXELS).boxes[0, 3].tolist() == pytest.approx([3 / 7, 3 / 7, 1, 1])
    with pytest.raises(ModelError, match="50 regions a picture are no grid of 7 × 7"):
        describer(torch.ones(1, 50, 32))


def test_a_store_of_cells_is_the_one_of_image_encoders() -> None:
    backbone = freeze(resnet())
    describer = RegionDescriber(backbone=backbone, probabilities=True, cells_per_side=4)
    encoder = RegionEncoder(backbone=backbone, non_local=None, dimension=6)
    kept = describer.backbone_features(PIXELS)
    assert torch.equal(kept, encoder.backbone_features(PIXELS))
    assert describer.keeps == encoder.keeps
    found, stored = describer(PIXELS), describer(kept.half())
    assert stored.features.dtype == torch.float32
    torch.testing.assert_close(stored.features, found.features, rtol=2e-3, atol=2e-3)
    torch.testing.assert_close(stored.probabilities, found.probabilities, rtol=0, atol=2e-3)
    assert torch.equal(stored.boxes, found.boxes)


def test_the_name_of_a_store_is_what_it_always_was() -> None:
    backbone = resnet()
    weights = state_fingerprint(backbone)
    # Word for word: stores on users' disks are found by it.
    geometry = "Preprocessing(size=56, fit='squash', crop_fraction=1.0)"
    named = combined_fingerprint(weights, geometry, "regions")
    assert features_fingerprint(backbone, keeps="regions", tower=None) == named
    tower = Tower("resnet50", weights)
    rounded = backbone.to(torch.bfloat16)
    assert state_fingerprint(rounded) != weights
    assert features_fingerprint(rounded, keeps="regions", tower=tower) == named
    assert features_fingerprint(rounded, keeps="boxed", tower=tower) != named


def test_a_detectors_boxes_travel_with_the_features() -> None:
    found = Corners()
    describer = RegionDescriber(backbone=detector(found), probabilities=True).eval()
    assert describer.keeps == "boxed"
    regions = describer(pictures(2, 0, 3))
    assert found.seen == 3  # each picture is looked at once
    assert regions.mask.sum(1).tolist() == [3, 1, 4]
    grid, _, boxes = describer.backbone(pictures(2, 0, 3))
    torch.testing.assert_close(regions.features, grid[..., 0].mT)
    assert torch.equal(regions.boxes, boxes)
    assert (regions.boxes[:, 0] == torch.tensor([0, 0, 1, 1])).all()
    likely = describer.backbone.classify(regions.features).softmax(-1)
    torch.testing.assert_close(regions.probabilities, likely * regions.mask[..., None])
    assert not regions.boxes[~regions.mask].any()
    kept = describer.backbone_features(pictures(2, 0, 3))
    assert kept.shape == (3, 5, 36)
    with torch.autocast("cpu", torch.bfloat16):  # boxes are not rounded to its 8 bits
        stored = describer(kept.half())
    assert stored.features.dtype == torch.bfloat16
    assert stored.features.is_contiguous()  # products with strided batches are many times slower
    assert regions.features.is_contiguous()
    torch.testing.assert_close(stored.boxes, boxes, rtol=0, atol=1 / 2000)
    assert torch.equal(stored.mask, regions.mask)
    picked = regions.rows(torch.tensor([2, 0]))
    assert torch.equal(picked.boxes, boxes[[2, 0]])
    assert torch.equal(picked.mask, regions.mask[[2, 0]])


@pytest.mark.parametrize("frozen", [False, True])
def test_features_teach_a_backbone_that_learns_and_soft_labels_do_not(frozen: bool) -> None:
    backbone = freeze(resnet()) if frozen else resnet()
    describer = RegionDescriber(backbone=backbone, probabilities=True).train()
    assert describer.is_frozen == frozen
    assert backbone.training != frozen
    found = describer(PIXELS)
    assert found.probabilities is not None
    assert not found.probabilities.requires_grad
    assert found.features.requires_grad != frozen
    if not frozen:
        found.features.square().sum().backward()
        assert backbone.stem.weight.grad is not None
        assert backbone.stem.weight.grad.abs().sum() > 0


def test_rows_from_files_with_and_without_what_is_beside_them() -> None:
    features = torch.rand(2, 3, 6) + 0.1
    features[1, 2] = 0
    boxes, likely = torch.rand(2, 3, 4), torch.rand(2, 3, 5).softmax(-1)
    backbone = PrecomputedBackbone(channels=6, regions=3, classes=5)

    def described(*parts: Tensor, probabilities: bool = False) -> DescribedRegions:
        describer = RegionDescriber(backbone=backbone, probabilities=probabilities)
        return describer(torch.cat(parts, dim=2))

    plain = described(features)
    assert torch.equal(plain.features, features)
    assert not plain.boxes.any()
    assert plain.boxes.shape == (2, 3, 4)
    assert plain.probabilities is None
    assert plain.mask.tolist() == [[True] * 3, [True, True, False]]
    assert torch.equal(described(features, boxes).boxes, boxes)
    whole = described(features, boxes, likely, probabilities=True)
    assert torch.equal(whole.boxes, boxes)
    assert whole.probabilities is not None
    assert torch.equal(whole.probabilities, likely)
    with pytest.raises(ModelError, match="10 numbers each, and this model reads 15"):
        described(features, boxes, probabilities=True)
    with pytest.raises(ModelError, match="15 numbers each, and this model reads 6 or 10"):
        described(features, boxes, likely)
    one = RegionDescriber(backbone=backbone)(features[:, 0])  # a vector a picture
    assert one.features.shape == (2, 1, 6)


class Sketch(Backbone):
    """A backbone without a classifier."""

    channels, grid_size, preprocessing = 2, (2, 2), Preprocessing(size=8)

    def forward(self, pixels: Tensor) -> BackboneFeatures:
        grid = functional.adaptive_avg_pool2d(pixels[:, :2].float(), 2)
        return BackboneFeatures(grid=grid, pooled=grid.mean((2, 3)))


def test_what_cannot_be_described_is_refused() -> None:
    with pytest.raises(ModelError, match=r"Sketch knows no classes.*\(mrc\)"):
        RegionDescriber(backbone=Sketch(), probabilities=True)
    with pytest.raises(ModelError, match="PrecomputedBackbone knows no classes"):
        RegionDescriber(backbone=PrecomputedBackbone(channels=2, regions=3), probabilities=True)
    each: Sequence[Backbone] = [Sketch(), detector(), PrecomputedBackbone(channels=2, regions=3)]
    for backbone in each:
        with pytest.raises(ModelError, match=r"cells_per_side = 3: .* no regular grid"):
            RegionDescriber(backbone=backbone, cells_per_side=3)
    with pytest.raises(ModelError, match="36 numbers each, and this model reads 32"):
        RegionDescriber(backbone=resnet())(torch.ones(1, 49, 36))
    with pytest.raises(ModelError, match="32 numbers each, and this model reads 36"):
        RegionDescriber(backbone=detector())(torch.ones(1, 5, 32))


def test_padding_is_where_every_channel_is_zero() -> None:
    regions = torch.zeros(2, 3, 100)
    regions[0, 0, 99] = 1e-3
    regions[1, 1, 0] = -2
    assert present(regions).tolist() == [[True, False, False], [False, True, False]]


def test_nothing_but_the_backbone_is_in_its_state() -> None:
    describer = RegionDescriber(backbone=resnet(), probabilities=True, cells_per_side=2)
    names = {name.removeprefix("backbone.") for name in describer.state_dict()}
    assert names == set(describer.backbone.state_dict())
