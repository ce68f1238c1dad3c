"""Boxes in pictures: how much they overlap, which of them to keep, and what a grid shows in them.

A box is (left, top, right, bottom), each as a share of the picture's side between 0 and 1, so that
it fits pixels and grids of any size.
"""

from __future__ import annotations

import torch
from torch import Tensor

POINTS = 7
"""Sample points along each side of a box."""


def overlaps(boxes: Tensor) -> Tensor:
    """Intersection over union of each box with each.

    Args:
        boxes: (boxes, 4).

    Returns:
        (boxes, boxes), 1 on the diagonal but for boxes without area.
    """
    low = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])  # (boxes, boxes, 2)
    high = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)  # (boxes, boxes)
    areas = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1)  # (boxes,)
    union = areas[:, None] + areas - shared
    return shared / union.clamp(min=torch.finfo(boxes.dtype).tiny)


def suppress(boxes: Tensor, scores: Tensor, *, threshold: float, limit: int) -> Tensor:
    """Greedy non-maximum suppression: from the best on, drop what overlaps a better one.

    Args:
        boxes: (boxes, 4).
        scores: (boxes,).
        threshold: boxes that overlap by more show the same thing.
        limit: how many to keep at most.

    Returns:
        (kept,) int64, which boxes, best first.
    """
    order = scores.argsort(descending=True, stable=True)
    same = (overlaps(boxes[order]) > threshold).tolist()
    kept: list[int] = []
    for candidate in range(len(order)):
        if len(kept) == limit:
            break
        if not any(same[candidate][better] for better in kept):
            kept.append(candidate)
    return order[torch.tensor(kept, dtype=torch.long)]


def pool_boxes(grid: Tensor, boxes: Tensor, *, points: int = POINTS) -> Tensor:
    """What a grid shows inside each box: RoIAlign, averaged over the box.

    He et al. ("Mask R-CNN", ICCV 2017, section 3): the grid is interpolated bilinearly at regular
    points inside the box, nothing is rounded. Points and interpolation are products of rows and
    columns, so the average is one weighted sum of cells whose weights factorise.

    Args:
        grid: (batch, channels, rows, columns).
        boxes: (batch, boxes, 4).
        points: along each side of a box.

    Returns:
        (batch, boxes, channels).
    """
    rows, columns = grid.shape[2:]
    down = _interpolation(boxes[..., 1], boxes[..., 3], rows, points).to(grid.dtype)
    across = _interpolation(boxes[..., 0], boxes[..., 2], columns, points).to(grid.dtype)
    weights = down[..., :, None] * across[..., None, :]  # (batch, boxes, rows, columns)
    return weights.flatten(2) @ grid.flatten(2).mT  # (batch, boxes, channels)


def _interpolation(low: Tensor, high: Tensor, cells: int, points: int) -> Tensor:
    """Weights of the cells along one side: (batch, boxes) twice → (batch, boxes, cells)."""
    steps = (torch.arange(points, device=low.device) + 0.5) / points  # (points,)
    places = low[..., None] + (high - low)[..., None] * steps  # (batch, boxes, points)
    # A cell's value stands at its middle; outside the outermost middles it goes on unchanged.
    places = (places * cells - 0.5).clamp(0, cells - 1)
    middles = torch.arange(cells, device=low.device)
    distances = (places[..., None] - middles).abs()  # (batch, boxes, points, cells)
    return (1 - distances).clamp(min=0).mean(-2)


def spans(cells: int, parts: int) -> list[tuple[int, int]]:
    """Which cells of a side belong to each part: from the first to behind the last.

    Neighbouring parts share a cell where they do not divide, as in adaptive pooling.
    """
    return [(part * cells // parts, -(-(part + 1) * cells // parts)) for part in range(parts)]


def cell_boxes(down: list[tuple[int, int]], across: list[tuple[int, int]]) -> Tensor:
    """Boxes of a regular grid, row by row.

    Args:
        down: the :func:`spans` of the rows.
        across: the :func:`spans` of the columns.

    Returns:
        (rows · columns, 4).
    """
    rows, columns = down[-1][1], across[-1][1]
    return torch.tensor(
        [
            (left / columns, top / rows, right / columns, bottom / rows)
            for top, bottom in down
            for left, right in across
        ]
    )
