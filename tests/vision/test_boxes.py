from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from polyglance.vision.boxes import overlaps, pool_boxes, suppress

SIDE = st.floats(0, 1)


def boxes(count: int, seed: int = 0) -> Tensor:
    corners = torch.rand(count, 2, 2, generator=torch.Generator().manual_seed(seed))
    return torch.cat([corners.amin(1), corners.amax(1)], dim=1).double()


def overlap_by_hand(one: list[float], other: list[float]) -> float:
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (area - width * height)


def test_overlaps_against_a_loop() -> None:
    some = boxes(12)
    expected = [[overlap_by_hand(one, other) for other in some.tolist()] for one in some.tolist()]
    torch.testing.assert_close(overlaps(some), torch.tensor(expected, dtype=torch.float64))


@given(st.lists(st.tuples(SIDE, SIDE, SIDE, SIDE), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_overlaps_are_symmetric_shares_even_of_empty_boxes(
    corners: list[tuple[float, float, float, float]],
) -> None:
    found = overlaps(torch.tensor(corners))
    assert torch.equal(found, found.mT)
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("limit", [0, 3, 100])
@pytest.mark.parametrize("threshold", [0.1, 0.5])
def test_suppression_against_a_loop(threshold: float, limit: int) -> None:
    some = boxes(40, seed=1)
    scores = torch.rand(40, generator=torch.Generator().manual_seed(2))
    expected: list[int] = []
    for candidate in sorted(range(40), key=lambda box: -float(scores[box])):
        rivals = [overlap_by_hand(some[candidate].tolist(), some[box].tolist()) for box in expected]
        if len(expected) < limit and all(rival <= threshold for rival in rivals):
            expected.append(candidate)
    assert suppress(some, scores, threshold=threshold, limit=limit).tolist() == expected
    assert limit != 100 or 1 < len(expected) < 40


def test_nothing_to_suppress() -> None:
    empty = suppress(torch.empty(0, 4), torch.empty(0), threshold=0.5, limit=3)
    assert empty.shape == (0,)


def cell(grid: Tensor, row: float, column: float) -> Tensor:
    """(channels, rows, columns) at a place between the middles of cells."""
    rows, columns = grid.shape[1:]
    row, column = min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)
    top, left = min(math.floor(row), rows - 2), min(math.floor(column), columns - 2)
    down, right = row - top, column - left
    upper = (1 - right) * grid[:, top, left] + right * grid[:, top, left + 1]
    lower = (1 - right) * grid[:, top + 1, left] + right * grid[:, top + 1, left + 1]
    return (1 - down) * upper + down * lower


def by_loop(grid: Tensor, box: list[float], points: int) -> Tensor:
    left, top, right, bottom = box
    total = torch.zeros(len(grid), dtype=grid.dtype)
    for i in range(points):
        for j in range(points):
            y = top + (bottom - top) * (i + 0.5) / points
            x = left + (right - left) * (j + 0.5) / points
            total = total + cell(grid, y * grid.shape[1] - 0.5, x * grid.shape[2] - 0.5)
    return total / points**2


def test_pooled_boxes_against_a_loop_values_and_gradients() -> None:
    torch.manual_seed(0)
    grid = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    some = boxes(6).view(2, 3, 4)
    some[0, 0] = torch.tensor([0.0, 0.0, 1.0, 1.0])
    found = pool_boxes(grid, some, points=3)
    expected = torch.stack(
        [torch.stack([by_loop(grid[n], box, 3) for box in some[n].tolist()]) for n in range(2)]
    )
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(found)
    torch.testing.assert_close(
        *(torch.autograd.grad((each * weights).sum(), grid)[0] for each in (found, expected))
    )


def test_pooled_boxes_are_what_grid_sampling_finds() -> None:
    grid = torch.randn(1, 8, 7, 7, generator=torch.Generator().manual_seed(0))
    some = boxes(5).float()
    steps = (torch.arange(7) + 0.5) / 7
    for box, found in zip(some, pool_boxes(grid, some[None])[0], strict=True):
        y, x = (box[i] + (box[i + 2] - box[i]) * steps for i in (1, 0))
        places = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1) * 2 - 1
        sampled = torch.nn.functional.grid_sample(
            grid, places[None], padding_mode="border", align_corners=False
        )
        torch.testing.assert_close(found, sampled.mean((2, 3))[0], rtol=1e-4, atol=1e-5)


def test_the_whole_picture_is_the_mean_where_points_meet_cells() -> None:
    grid = torch.randn(1, 4, 7, 7, generator=torch.Generator().manual_seed(0))
    whole = torch.tensor([[[0.0, 0.0, 1.0, 1.0]]])
    torch.testing.assert_close(pool_boxes(grid, whole)[:, 0], grid.mean((2, 3)))
