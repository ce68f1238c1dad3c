"""Where a region is, as numbers that a linear layer can tell apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polyglance.precision import full_precision

SCALE, LONGEST = 100.0, 1000.0  # sides count from 0 to 100; wavelengths grow up to 2π · 1000


class BoxEncoding(nn.Module):
    """Sines and cosines of a box's centre and size, in many wavelengths; nothing is learned.

    VL-BERT (Su et al., ICLR 2020, section 3.2, "visual geometry embedding"), after the sinusoidal
    positions of Vaswani et al. (2017, section 3.5). For each x of (cx, cy, w, h), as shares of the
    picture's sides, and each i of k frequencies::

        sin(100 x / 1000^(i/k)),  cos(100 x / 1000^(i/k))

    Args:
        frequencies: k, 256 in the paper.

    Attributes:
        dimension: of an encoding, 4 · 2 · k.

    Raises:
        ValueError: ``frequencies`` is not positive.
    """

    divisors: Tensor

    def __init__(self, *, frequencies: int = 256) -> None:
        super().__init__()
        if frequencies < 1:
            raise ValueError(f"{frequencies} frequencies tell no box apart")
        self.dimension = 4 * 2 * frequencies
        powers = torch.arange(frequencies) / frequencies
        self.register_buffer("divisors", LONGEST**powers, persistent=False)  # (frequencies,)

    def forward(self, boxes: Tensor) -> Tensor:
        """(…, 4) left, top, right, bottom as shares of the sides → (…, dimension) float32."""
        with full_precision(boxes):
            low, high = boxes[..., :2].float(), boxes[..., 2:].float()  # (…, 2) each
            numbers = torch.cat([(low + high) / 2, high - low], dim=-1) * SCALE  # (…, 4)
            angles = numbers[..., None] / self.divisors  # (…, 4, frequencies)
            waves = torch.cat([angles.sin(), angles.cos()], dim=-1)  # (…, 4, 2 · frequencies)
            return waves.flatten(-2)  # (…, dimension)
