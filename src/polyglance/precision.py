"""Which number formats are used where: bfloat16 where it is fast, float32 where it matters."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@cache
def has_fast_bfloat16(device: str = "cpu") -> bool:
    """Whether bfloat16 matrix products beat float32 there: AMX or AVX-512 BF16, or a GPU's."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux: float32 is the safe choice
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


def inference_precision(device: str = "cpu") -> AbstractContextManager[object]:
    """Autocast to bfloat16 where that is faster, else nothing."""
    import torch

    if has_fast_bfloat16(device):
        return torch.autocast(device, dtype=torch.bfloat16)
    return nullcontext()


def at_least_float32(tensor: Tensor) -> Tensor:
    """Widen half-precision numbers to float32 and leave wider ones alone."""
    import torch

    return tensor.float() if tensor.dtype in {torch.float16, torch.bfloat16} else tensor


def full_precision(tensor: Tensor) -> AbstractContextManager[object]:
    """Switch autocast off where ``tensor`` is, for arithmetic that rounding would ruin."""
    import torch

    return torch.autocast(tensor.device.type, enabled=False)
