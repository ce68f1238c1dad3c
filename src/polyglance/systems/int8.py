"""Weights stored as int8 rows, one scale a row: a quarter of float32, and as good in a head."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

SCALE = ".row_scale"
SMALLEST = 4096  # elements; smaller tensors stay in half precision


def quantise_rows(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices → int8 with a half-precision scale per row under ``<name>.row_scale``.

    A row is what the last axis runs over; its largest entry becomes ±127.
    """
    import torch

    stored: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if tensor.ndim < 2 or tensor.numel() < SMALLEST:
            stored[name] = tensor.half().contiguous()
            continue
        scale = (tensor.abs().amax(-1, keepdim=True) / 127).clamp(min=1e-7).half()
        levels = (tensor / scale.float()).round().clamp(-127, 127)
        stored[name] = levels.to(torch.int8).contiguous()
        stored[name + SCALE] = scale.contiguous()
    return stored


def restore_rows(
    module: nn.Module,  # noqa: ARG001
    state: MutableMapping[str, Any],
    prefix: str,  # noqa: ARG001
    *_: object,
) -> None:
    """Turn int8 rows back into floats in place, before a module loads its state."""
    for name in [name for name in state if name.endswith(SCALE)]:
        matrix = name.removesuffix(SCALE)
        state[matrix] = state[matrix].float() * state.pop(name).float()
