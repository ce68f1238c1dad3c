from __future__ import annotations

import math

import pytest
import torch

from polyglance.vision.pooling import AttentionPooling, MeanPooling

GRID = torch.randn(2, 6, 3, 4, generator=torch.Generator().manual_seed(0))


def test_attention_against_a_loop() -> None:
    pooling = AttentionPooling(channels=6, heads=2)
    torch.nn.init.normal_(pooling.query)
    query, pooled = pooling.query.detach(), pooling(GRID).detach()
    for picture in range(2):
        for head in range(2):
            scores = {
                (i, j): float(query[head] @ GRID[picture, :, i, j]) / math.sqrt(6)
                for i in range(3)
                for j in range(4)
            }
            total = sum(math.exp(score) for score in scores.values())
            for channel in range(3 * head, 3 * head + 3):
                expected = sum(
                    math.exp(score) / total * float(GRID[picture, channel, i, j])
                    for (i, j), score in scores.items()
                )
                assert float(pooled[picture, channel]) == pytest.approx(expected, abs=1e-5)


def test_attention_starts_as_the_mean_and_learns() -> None:
    pooling = AttentionPooling(channels=6, heads=3)
    torch.testing.assert_close(pooling(GRID), MeanPooling()(GRID))
    pooling(GRID).square().sum().backward()
    assert pooling.query.grad is not None
    assert (pooling.query.grad.abs().sum(1) > 0).all()


def test_maps_sum_to_one() -> None:
    pooling = AttentionPooling(channels=6, heads=2)
    torch.nn.init.normal_(pooling.query)
    maps = pooling.attention(GRID)
    assert maps.shape == (2, 2, 3, 4)
    torch.testing.assert_close(maps.sum((2, 3)), torch.ones(2, 2))


def test_the_mean_of_the_cells_is_what_is_pooled() -> None:
    attention = AttentionPooling(channels=6, heads=2)
    torch.nn.init.normal_(attention.query)
    for pooling in (attention, MeanPooling()):
        cells = pooling.cells(GRID)
        assert cells.shape == GRID.shape
        torch.testing.assert_close(cells.mean((2, 3)), pooling(GRID))


@pytest.mark.parametrize("heads", [0, 4])
def test_heads_must_divide_the_channels(heads: int) -> None:
    with pytest.raises(ValueError, match="do not divide"):
        AttentionPooling(channels=6, heads=heads)
