"""Bytes to the numbers that a network was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def normalise(
    pixels: Tensor, *, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype
) -> Tensor:
    """(batch, 3, height, width) uint8 → the same shape in ``dtype``, channels last in memory.

    Args:
        pixels: RGB bytes.
        mean: per channel, in 0-255 units.
        std: per channel, in 0-255 units.
        dtype: of the result; the arithmetic itself is float32.
    """
    shift = torch.tensor(mean, device=pixels.device).view(3, 1, 1)
    scale = torch.tensor(std, device=pixels.device).view(3, 1, 1)
    floats = pixels.to(torch.float32, memory_format=torch.channels_last)
    return ((floats - shift) / scale).to(dtype)
