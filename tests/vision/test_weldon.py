from __future__ import annotations

import pytest
import torch
from torch import Tensor

from polyglance.heads import ProjectionHead
from polyglance.systems.builders.image import build_image_encoder
from polyglance.systems.config import PooledImageConfig, ResNet50Config, WeldonPoolingConfig
from polyglance.vision.image_encoder import PooledImageEncoder
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.resnet import ResNet
from polyglance.vision.weldon import WeldonPooling

GRID = torch.randn(2, 6, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def weldon(maxima: int, minima: int) -> WeldonPooling:
    torch.manual_seed(1)
    return WeldonPooling(channels=6, output_channels=5, maxima=maxima, minima=minima).double()


def naive(pooling: WeldonPooling, grid: Tensor) -> Tensor:
    """Picture by picture, channel by channel, cell by cell."""
    weight, bias = pooling.convolution.weight, pooling.convolution.bias
    pictures = []
    for picture in grid:
        channels = []
        for channel in range(len(weight)):
            cells = sorted(
                (
                    weight[channel] @ picture[:, row, column] + bias[channel]
                    for row in range(grid.shape[2])
                    for column in range(grid.shape[3])
                ),
                key=lambda cell: float(cell.detach()),
            )
            high = cells[-min(pooling.maxima, len(cells)) :]
            low = cells[: min(pooling.minima, len(cells))]
            pooled = sum(high) / len(high)
            channels.append(pooled + sum(low) / len(low) if low else pooled)
        pictures.append(torch.stack(channels))
    return torch.stack(pictures)


@pytest.mark.parametrize(("maxima", "minima"), [(1, 1), (3, 2), (4, 0), (12, 12), (15, 15)])
def test_values_and_gradients_against_a_loop(maxima: int, minima: int) -> None:
    pooling, grid = weldon(maxima, minima), GRID.clone().requires_grad_()
    weights = torch.randn(2, 5, dtype=torch.float64)
    inputs = [grid, *pooling.parameters()]
    pooled, expected = pooling(grid), naive(pooling, grid)
    torch.testing.assert_close(pooled, expected)
    ours = torch.autograd.grad((pooled * weights).sum(), inputs)
    theirs = torch.autograd.grad((expected * weights).sum(), inputs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_so_many_cells_as_there_are_give_twice_the_mean() -> None:
    pooling = weldon(99, 99)
    torch.testing.assert_close(pooling(GRID), 2 * pooling.cells(GRID).mean((2, 3)))


def test_tied_cells_count_as_often_as_they_are_needed() -> None:
    pooling = weldon(2, 2)
    torch.nn.init.zeros_(pooling.convolution.bias)
    torch.nn.init.ones_(pooling.convolution.weight)
    grid = torch.zeros(1, 6, 1, 5, dtype=torch.float64)
    grid[0, 0, 0] = torch.tensor([3.0, 3.0, 3.0, 1.0, 1.0])  # channels sum: the rest is zero
    grid.requires_grad_()
    pooled = pooling(grid)
    torch.testing.assert_close(pooled, torch.full((1, 5), 4.0, dtype=torch.float64))
    pooled[0, 0].backward()
    assert grid.grad is not None
    shares = torch.tensor([1 / 3, 1 / 3, 1 / 3, 1 / 2, 1 / 2], dtype=torch.float64)
    torch.testing.assert_close(grid.grad[0, 0, 0], shares)


def test_bfloat16_selects_before_it_rounds_a_mean() -> None:
    pooling = weldon(5, 5).float()
    exact = pooling(GRID.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = pooling(GRID.half().bfloat16())
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0, atol=0.03)


@pytest.mark.parametrize(("maxima", "minima"), [(0, 1), (1, -1)])
def test_counts_are_checked(maxima: int, minima: int) -> None:
    with pytest.raises(ValueError, match="at least 1 and 0"):
        WeldonPooling(channels=6, output_channels=5, maxima=maxima, minima=minima)


@pytest.mark.parametrize(("channels", "expected"), [(None, 32), (48, 48)])
def test_an_encoder_with_channels_of_its_own(channels: int | None, expected: int) -> None:
    torch.manual_seed(0)
    backbone = ResNet(
        depths=(1, 1), width=4, std=(60, 60, 60), preprocessing=Preprocessing(size=64)
    )
    config = PooledImageConfig(
        backbone=ResNet50Config(),
        pooling=WeldonPoolingConfig(channels=channels),
        dropout=0.5,
    )
    encoder = build_image_encoder(config, backbone=backbone, dimension=8)
    assert isinstance(encoder, PooledImageEncoder)
    assert isinstance(encoder.head, ProjectionHead)
    dropout, linear = encoder.head.layers
    assert isinstance(dropout, torch.nn.Dropout)
    assert (dropout.p, linear.in_features, linear.out_features) == (0.5, expected, 8)
    encoder.train()
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    (encoder(pixels).embedding @ torch.randn(8)).sum().backward()
    for name, parameter in encoder.named_parameters():
        if not name.startswith("backbone.classifier"):
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
