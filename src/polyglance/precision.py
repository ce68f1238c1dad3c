"""Where half precision is not enough: scores and losses are computed in float32 or better."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor


def at_least_float32(tensor: Tensor) -> Tensor:
    """Half-precision tensors as float32; float32 and float64 as they are."""
    return tensor.float() if tensor.dtype in {torch.float16, torch.bfloat16} else tensor


def full_precision(tensor: Tensor) -> AbstractContextManager[object]:
    """A context on ``tensor``'s device in which autocast does not round matrix products."""
    return torch.autocast(device_type=tensor.device.type, enabled=False)
