"""What a non-local block does to the regions of a picture, in two numbers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from polyglance.vision.non_local import AttentionBlock, ResidualBlock, attention
from polyglance.vision.region_encoder import RegionEncoder


@torch.inference_mode()
def look(encoder: RegionEncoder, regions: Tensor) -> dict[str, float]:
    """How alike regions become, and how widely they look around.

    Args:
        encoder: trained.
        regions: (pictures, regions, channels), none of them padding.

    Returns:
        ``alike``: the mean cosine of two regions of one picture behind the projection; 1 where the
        block has made them all the same, so that their mean is one of them. ``width``: the entropy
        of a region's attention over that of looking everywhere alike, from 0 (at one region) to 1;
        only where there is a block.
    """
    encoder = encoder.eval()
    keeps, encoder.keep_tokens = encoder.keep_tokens, True
    tokens = encoder(regions.float()).tokens
    encoder.keep_tokens = keeps
    assert tokens is not None  # noqa: S101 -- asked for in the line before
    unit = torch.nn.functional.normalize(tokens, dim=-1)  # (pictures, regions, dimension)
    count = unit.shape[1]
    together = unit.sum(1).square().sum(-1)  # (pictures,)
    found = {"alike": float(((together - count) / (count * (count - 1))).mean())}
    block = encoder.non_local
    if isinstance(block, AttentionBlock | ResidualBlock):
        weights = attention(block.query(regions.float()), block.key(regions.float()), None)
        entropy = -(weights * weights.clamp(min=1e-30).log()).sum(-1)  # (pictures, regions)
        found["width"] = float(entropy.mean()) / math.log(count)
    if isinstance(block, ResidualBlock):
        found["gamma"] = float(block.gamma)
    return found
