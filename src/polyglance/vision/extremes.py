"""The mean of the highest and of the lowest values of a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from polyglance.precision import at_least_float32


def mean_of_extremes(values: Tensor, *, highest: int, lowest: int) -> Tensor:
    """Of each row the mean of its highest values, plus that of its lowest.

    Values that are equal where the highest end, or the lowest, share the gradient, so that the
    order of a row never matters. In bfloat16, with its three digits, that is often.

    Args:
        values: (…, cells).
        highest: how many of the highest count; all, where there are fewer.
        lowest: likewise of the lowest; 0 leaves them out.

    Returns:
        (…), float32 or better.
    """
    cells = values.shape[-1]
    pooled: Tensor = _MeanOfExtremes.apply(  # type: ignore[no-untyped-call]
        values, min(highest, cells), min(lowest, cells)
    )
    return pooled


class _MeanOfExtremes(torch.autograd.Function):
    """Sorted, since on a CPU numpy sorts a row of 49 in a twentieth of the time of torch's topk."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, highest: int, lowest: int) -> Tensor:
        ascending = _ascending(at_least_float32(values))  # (…, cells)
        cells = values.shape[-1]
        pooled = ascending[..., cells - highest :].mean(-1)
        limits = [ascending[..., cells - highest].clone()]  # the least of the highest
        if lowest:
            pooled = pooled + ascending[..., :lowest].mean(-1)
            limits.append(ascending[..., lowest - 1].clone())  # the greatest of the lowest
        ctx.save_for_backward(values, *limits)
        ctx.counts = highest, lowest
        return pooled

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        values, *limits = ctx.saved_tensors
        highest, lowest = ctx.counts
        wide = at_least_float32(values)
        weights = _weights(wide, limits[0], highest)
        if lowest:
            weights += _weights(-wide, -limits[1], lowest)
        return weights.mul_(gradient[..., None]).to(values.dtype), None, None


def _ascending(values: Tensor) -> Tensor:
    if values.device.type != "cpu":
        return values.sort(-1).values
    return torch.from_numpy(np.sort(values.contiguous().numpy(), axis=-1))


def _weights(values: Tensor, limit: Tensor, count: int) -> Tensor:
    """(…, cells) and (…) the least that counts → how much each value does, 1 in sum."""
    beyond = (values > limit[..., None]).to(values.dtype)
    tied = (values == limit[..., None]).to(values.dtype)
    room = count - beyond.sum(-1, keepdim=True)  # (…, 1), for those at the limit
    return beyond.add_(tied.mul_(room / tied.sum(-1, keepdim=True))).div_(count)
