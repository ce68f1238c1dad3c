"""Fingerprints: what makes two models the same model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from polyglance.vision.backbone_reader import Kept
    from polyglance.vision.base import Backbone


@dataclass(frozen=True, slots=True)
class Tower:
    """A pretrained part that a checkpoint names instead of storing.

    Attributes:
        name: what ``polyglance download`` calls it.
        fingerprint: hex digest over its weights.
    """

    name: str
    fingerprint: str


def state_fingerprint(module: nn.Module) -> str:
    """Hex SHA-256 over the names, types, shapes and bytes of a module's parameters and buffers."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)  # (elements,)
        digest.update(memoryview(flat.view(torch.uint8).numpy()))
    return digest.hexdigest()


def combined_fingerprint(*parts: str | bytes) -> str:
    """Hex SHA-256 over several parts, each kept apart from its neighbours by its length."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(raw)}:".encode())
        digest.update(raw)
    return digest.hexdigest()


def features_fingerprint(
    backbone: Backbone, *, keeps: Kept, tower: Tower | None, frames: int = 1
) -> str:
    """Hex digest by which a store of a backbone's features is found again.

    Over the backbone's weights, its preprocessing and what of its features is kept: systems that
    read the same share a store.

    Args:
        backbone: as it is now.
        keeps: what is read of it.
        tower: as it was loaded. Rounding it for speed leaves it the same tower.
        frames: that are kept of a video.
    """
    if tower is not None and is_rounded(backbone):
        weights = tower.fingerprint
    else:
        weights = state_fingerprint(backbone)
    kept = keeps if frames == 1 else f"{keeps}, {frames} frames"
    return combined_fingerprint(weights, repr(backbone.preprocessing), kept)


def is_rounded(module: nn.Module) -> bool:
    """Whether a module was rounded to half precision, which is done to frozen ones alone."""
    import torch

    halves = {torch.bfloat16, torch.float16}
    return any(parameter.dtype in halves for parameter in module.parameters())
