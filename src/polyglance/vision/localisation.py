"""Where in a picture a text is: parts of the picture in the joint space, and maps painted of them.

A picture's parts, cells of a grid or boxes of a detector, go into the joint space one by one, where
each is compared with a text like a picture of its own. The scores, back in their places, are a heat
map of the text over the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from polyglance.vision.base import Backbone
    from polyglance.vision.preprocessing import Preprocessing

MAP_SIZE = 448
"""Pixels of a picture's side that give a convolutional network 14 × 14 cells."""

CANVAS = 28
"""Rows and columns of a map that boxes are painted on."""

SPREAD = 1 / 20
"""A map is blurred by a Gaussian whose deviation is this share of the map's side."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Parts of pictures in the joint space, and where they are.

    Attributes:
        vectors: (batch, cells, dimension).
        shape: rows and columns of the grid that the cells are, row by row.
        boxes: (batch, cells, 4), left, top, right, bottom as shares of the picture's sides, where
            the cells are no grid; a box without area is padding.
        strongest: how many of a text's dimensions the cells are compared in at most; ``None`` for
            all.
        weights: (batch, cells), how much each of them shows of anything, for encoders whose vectors
            do not tell; what a cell scores above the lowest is multiplied by it.
    """

    vectors: Tensor
    shape: tuple[int, int]
    boxes: Tensor | None = None
    strongest: int | None = None
    weights: Tensor | None = None

    def weigh(self, scores: Tensor) -> Tensor:
        """(batch, texts, cells) → the same, weighed if there are weights."""
        if self.weights is None:
            return scores
        return (scores - scores.amin(2, keepdim=True)) * self.weights[:, None]

    def paint(self, scores: Tensor) -> Tensor:
        """Put what belongs to each cell where it is.

        Args:
            scores: (batch, texts, cells).

        Returns:
            (batch, texts, rows, columns).
        """
        if self.boxes is None:
            return scores.reshape(*scores.shape[:2], *self.shape)
        return paint_boxes(scores, self.boxes, side=CANVAS)


def paint_boxes(scores: Tensor, boxes: Tensor, *, side: int) -> Tensor:
    """Each point's mean over the boxes around it; the lowest score where there is no box.

    Args:
        scores: (batch, texts, boxes).
        boxes: (batch, boxes, 4); one without area covers nothing.
        side: rows and columns of the canvas.

    Returns:
        (batch, texts, side, side).
    """
    middles = (torch.arange(side, device=boxes.device) + 0.5) / side  # (side,)
    left, top, right, bottom = boxes[..., None].unbind(2)  # (batch, boxes, 1) each
    across = ((left <= middles) & (middles < right)).to(scores.dtype)  # (batch, boxes, side)
    down = ((top <= middles) & (middles < bottom)).to(scores.dtype)
    total = torch.einsum("btn,bni,bnj->btij", scores, down, across)
    count = torch.einsum("bni,bnj->bij", down, across)[:, None]  # (batch, 1, side, side)
    lowest = scores.amin(2)[..., None, None]  # (batch, texts, 1, 1)
    return torch.where(count > 0, total / count.clamp(min=1), lowest)


def strongest(texts: Tensor, count: int) -> Tensor:
    """Texts reduced to their largest values, as Engilberge et al. (CVPR 2018) localise.

    With D the ``count`` dimensions in which a text t is largest, by value, and P the projected map,
    their heat map is Σ_{d ∈ D} |t_d| P_d: the inner product of P with what is returned. We deviate
    where fewer than ``count`` values are positive: a negative one, which would speak for the places
    that it speaks against, counts for nothing.

    Args:
        texts: (texts, dimension).
        count: how many values are kept at most.

    Returns:
        (texts, dimension), none below zero, zero in all other dimensions.
    """
    values, places = texts.topk(min(count, texts.shape[1]), dim=1)
    return torch.zeros_like(texts).scatter(1, places, values.clamp(min=0))


def smooth(maps: Tensor, *, spread: float = SPREAD) -> Tensor:
    """Blur maps with a Gaussian, so that a place counts for more than a point does.

    Cells beyond the edge are left out rather than taken for zero: a constant map stays itself.

    Args:
        maps: (..., rows, columns).
        spread: the Gaussian's standard deviation as a share of the map's sides.
    """
    rows, columns = (_blurring(size, spread).to(maps) for size in maps.shape[-2:])
    return rows @ maps @ columns.T


def map_preprocessing(backbone: Backbone) -> Preprocessing:
    """How a picture is to be read for a map.

    At twice the size that the model was trained on, up to :data:`MAP_SIZE`, where the backbone
    takes any: maps of 7 × 7 cells are coarse, and smaller things are seen as well. So Portaz et
    al. localise at 416 pixels after training at 256.
    """
    own = backbone.preprocessing
    if not backbone.any_size:
        return own
    return replace(own, size=max(own.size, min(2 * own.size, MAP_SIZE)))


def _blurring(size: int, spread: float) -> Tensor:
    """(size, size) whose rows are Gaussians around each place, and sum to 1."""
    places = torch.arange(size, dtype=torch.float32)
    distances = (places[:, None] - places) / max(spread * size, 1e-6)
    return functional.normalize(torch.exp(-0.5 * distances.square()), p=1, dim=1)
