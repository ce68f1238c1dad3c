"""The rotation that lays one cloud of points best over another."""

from __future__ import annotations

import torch
from torch import Tensor


def procrustes(source: Tensor, target: Tensor) -> Tensor:
    """The orthogonal W that minimises the sum over pairs of ‖W x − y‖².

    W = U Vᵀ where U Σ Vᵀ is the singular value decomposition of Σ_i y_i x_iᵀ (Schönemann 1966;
    Conneau et al., "Word translation without parallel data", ICLR 2018, equation 2; Smith et al.,
    "Offline bilingual word vectors", ICLR 2017, section 2.2). An orthogonal map leaves every angle
    within the source language as it was.

    Args:
        source: (pairs, dimension) the x.
        target: (pairs, dimension) the y.

    Returns:
        (dimension, dimension), computed with 64 bits, in the type of ``source``.

    Raises:
        ValueError: the shapes differ, or there is no pair.
    """
    if source.shape != target.shape or source.dim() != 2 or not len(source):
        raise ValueError(f"no pairs: {tuple(source.shape)} and {tuple(target.shape)}")
    product = torch.mm(target.double().T, source.double())  # Σ y xᵀ
    u, _, v = torch.linalg.svd(product)
    return torch.mm(u, v).to(source.dtype)
