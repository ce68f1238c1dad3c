"""Cells in the joint space, and maps painted of them, against loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from polyglance.errors import ModelError
from polyglance.heads import ProjectionHead
from polyglance.vision.image_encoder import PooledImageEncoder
from polyglance.vision.localisation import (
    Cells,
    map_preprocessing,
    paint_boxes,
    smooth,
    strongest,
)
from polyglance.vision.pooling import AttentionPooling, GridPooling, MeanPooling
from polyglance.vision.precomputed import PrecomputedBackbone
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.region_encoder import RegionEncoder
from polyglance.vision.resnet import ResNet
from polyglance.vision.transformers_backbone import TransformersBackbone
from polyglance.vision.weldon import WeldonPooling

RANDOM = torch.Generator().manual_seed(0)
PIXELS = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=RANDOM)


def tower() -> ResNet:
    torch.manual_seed(0)
    return ResNet(
        depths=(1, 1), width=4, classes=None, std=(60, 60, 60), preprocessing=Preprocessing(size=64)
    )


def pooled(pooling: GridPooling | None, *, hidden: int | None = None) -> PooledImageEncoder:
    backbone = tower()
    channels = 24 if isinstance(pooling, WeldonPooling) else backbone.channels
    head = ProjectionHead(input_dimension=channels, dimension=8, hidden=hidden)
    return PooledImageEncoder(backbone=backbone, pooling=pooling, head=head).eval()


def attention() -> AttentionPooling:
    pooling = AttentionPooling(channels=32, heads=4)
    torch.nn.init.normal_(pooling.query)
    return pooling


@pytest.mark.parametrize("pooling", [None, MeanPooling(), attention()])
def test_cells_of_a_linear_head_add_up_to_the_embedding(pooling: GridPooling | None) -> None:
    encoder = pooled(pooling)
    with torch.no_grad():
        cells = encoder.cells(PIXELS)
        embedding = encoder(PIXELS).embedding
    assert cells.vectors.shape == (2, 64, 8)
    assert cells.shape == (8, 8)
    assert cells.strongest is None
    torch.testing.assert_close(cells.vectors.mean(1), embedding)


@pytest.mark.parametrize("normalise", [True, False])
def test_cells_of_regions_add_up_to_the_embedding(normalise: bool) -> None:
    encoder = RegionEncoder(
        backbone=tower(), non_local=None, dimension=8, normalise_regions=normalise
    ).eval()
    with torch.no_grad():
        cells = encoder.cells(PIXELS)
        embedding = encoder(PIXELS).embedding
    assert cells.vectors.shape == (2, 64, 8)
    torch.testing.assert_close(cells.vectors.mean(1), embedding)


def test_a_head_with_a_hidden_layer_sees_each_cell_alone() -> None:
    encoder = pooled(MeanPooling(), hidden=16)
    with torch.no_grad():
        cells = encoder.cells(PIXELS)
        grid = encoder.backbone(PIXELS).grid
        for cell in (0, 9, 63):
            alone = encoder(grid[:, None, :, cell // 8, cell % 8]).embedding  # of one region
            found = torch.nn.functional.normalize(cells.vectors[:, cell], dim=1)
            torch.testing.assert_close(found, alone)


def test_weldon_projects_the_map_before_it_is_pooled() -> None:
    pooling = WeldonPooling(channels=32, output_channels=24, maxima=3, minima=3)
    encoder = pooled(pooling)
    weight, bias = encoder.head.layers[1].weight, encoder.head.layers[1].bias
    with torch.no_grad():
        cells = encoder.cells(PIXELS)
        grid = encoder.backbone(PIXELS).grid
        length = (pooling(grid) @ weight.T + bias).norm(dim=1)
        for picture in range(2):
            for cell in (0, 17, 63):
                seen = pooling.convolution(grid[picture, :, cell // 8, cell % 8])
                expected = (weight @ seen + bias) / length[picture]
                torch.testing.assert_close(cells.vectors[picture, cell], expected)
    assert cells.strongest == 1  # 7.5 % of 8


def test_the_share_of_strongest_dimensions_is_that_of_the_published_code() -> None:
    for dimension, expected in ((2400, 180), (512, 38), (4, 1)):
        pooling = WeldonPooling(channels=32, output_channels=8, maxima=1, minima=1)
        head = ProjectionHead(input_dimension=8, dimension=dimension)
        encoder = PooledImageEncoder(backbone=tower(), pooling=pooling, head=head).eval()
        with torch.no_grad():
            assert encoder.cells(PIXELS[:1]).strongest == expected


def test_a_backbone_without_places_is_refused_with_a_remedy() -> None:
    encoder = pooled(None)
    encoder.backbone.pools_by_mean = False
    assert not encoder.localises
    with pytest.raises(ModelError, match=r"ResNet.*'mean', 'attention' or 'weldon'"):
        encoder.cells(PIXELS)


def test_features_from_files_have_no_places() -> None:
    backbone = PrecomputedBackbone(channels=32, regions=4)
    encoder = RegionEncoder(backbone=backbone, non_local=None, dimension=8)
    with pytest.raises(ModelError, match="cannot read pictures"):
        encoder.cells(PIXELS)


def test_which_transformers_pool_by_the_mean() -> None:
    convolutional = {
        "model_type": "resnet",
        "embedding_size": 8,
        "hidden_sizes": [8, 16],
        "depths": [1, 1],
        "layer_type": "basic",
    }
    with_class_token = {
        "model_type": "vit",
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "image_size": 32,
        "patch_size": 16,
    }
    for config, expected in ((convolutional, True), (with_class_token, False)):
        backbone = TransformersBackbone.from_config(config, preprocessing=Preprocessing(size=32))
        assert backbone.pools_by_mean is expected
        assert not backbone.any_size


def test_the_strongest_dimensions_against_a_loop() -> None:
    texts = torch.tensor([[0.1, -0.9, 0.5, 0.3], [-0.1, -0.2, -0.3, -0.4]])
    for count in (1, 2, 3, 99):
        expected = torch.zeros_like(texts)
        for row, text in enumerate(texts.tolist()):
            for place in sorted(range(4), key=lambda d: -text[d])[:count]:
                expected[row, place] = max(text[place], 0)
        torch.testing.assert_close(strongest(texts, count), expected)
    assert strongest(texts, 2).tolist()[1] == [0, 0, 0, 0]  # nothing speaks for any place


def test_boxes_are_painted_as_a_loop_would() -> None:
    scores = torch.randn(2, 3, 4, generator=RANDOM)
    boxes = torch.tensor(
        [
            [[0, 0, 1, 1], [0, 0, 0.5, 0.5], [0.25, 0.25, 0.75, 1], [0, 0, 0, 0]],
            [[0.5, 0, 1, 0.5], [0.5, 0, 1, 0.5], [0, 0, 0, 0], [0, 0, 0, 0]],
        ]
    )
    painted = paint_boxes(scores, boxes, side=8)
    assert painted.shape == (2, 3, 8, 8)
    for picture in range(2):
        for text in range(3):
            for row in range(8):
                for column in range(8):
                    x, y = (column + 0.5) / 8, (row + 0.5) / 8
                    around = [
                        float(scores[picture, text, box])
                        for box, (left, top, right, bottom) in enumerate(boxes[picture].tolist())
                        if left <= x < right and top <= y < bottom
                    ]
                    lowest = float(scores[picture, text].min())
                    expected = sum(around) / len(around) if around else lowest
                    found = float(painted[picture, text, row, column])
                    assert found == pytest.approx(expected, abs=1e-6)


def test_a_grid_is_painted_row_by_row() -> None:
    cells = Cells(torch.zeros(1, 6, 2), shape=(2, 3))
    assert cells.paint(torch.arange(6.0).view(1, 1, 6))[0, 0].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_smoothing_against_a_loop() -> None:
    heat = torch.randn(4, 6, generator=RANDOM)
    found = smooth(heat, spread=0.2)

    def weight(size: int, here: int, there: int) -> float:
        return math.exp(-0.5 * ((here - there) / (0.2 * size)) ** 2)

    for row in range(4):
        for column in range(6):
            weights = {
                (i, j): weight(4, row, i) * weight(6, column, j) for i in range(4) for j in range(6)
            }
            total = sum(share * float(heat[place]) for place, share in weights.items())
            expected = total / sum(weights.values())
            assert float(found[row, column]) == pytest.approx(expected, abs=1e-5)
    torch.testing.assert_close(smooth(torch.ones(2, 1, 5, 5)), torch.ones(2, 1, 5, 5))
    torch.testing.assert_close(smooth(heat, spread=0), heat)


def test_a_map_is_made_at_twice_the_size_up_to_a_limit() -> None:
    for size, expected in ((64, 128), (224, 448), (256, 448), (600, 600)):
        backbone = tower()
        backbone.preprocessing = Preprocessing(size=size, fit="crop")
        assert map_preprocessing(backbone) == Preprocessing(size=expected, fit="crop")
    fixed = PrecomputedBackbone(channels=8, regions=2)
    assert map_preprocessing(fixed) is fixed.preprocessing


def test_padding_of_a_detector_is_painted_nowhere() -> None:
    boxes: Tensor = torch.tensor([[[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]])
    cells = Cells(torch.zeros(1, 2, 4), shape=(2, 1), boxes=boxes)
    painted = cells.paint(torch.tensor([[[1.0, 9.0]]]))
    torch.testing.assert_close(painted, torch.ones(1, 1, 28, 28))
