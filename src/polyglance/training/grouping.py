"""Training pictures in groups of those that look alike to the backbone."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from polyglance.data.dataset import PictureSource
from polyglance.data.similar import SimilarGroups
from polyglance.errors import ConfigError

AT_ONCE = 256


def group_similar(source: PictureSource, *, pictures: int, size: int) -> SimilarGroups:
    """Group pictures by the means of their kept features, brought to unit length.

    A picture that has none, since it cannot be read, may come into any group.

    Args:
        source: of the training pictures.
        pictures: how many.
        size: of a group at most.

    Raises:
        ConfigError: the features are not kept, as of a backbone that learns.
    """
    vectors: NDArray[np.float32] | None = None
    for start in range(0, pictures, AT_ONCE):
        loaded = source.load(range(start, min(start + AT_ONCE, pictures)))
        if not loaded.indices:
            continue
        if loaded.images.dtype == torch.uint8:
            raise ConfigError(
                "data.similar groups pictures by what a frozen backbone sees; freeze "
                "image.backbone in the first phase, and leave training.cache_features on"
            )
        pooled = _pooled(loaded.images.float())  # (loaded, channels)
        if vectors is None:
            vectors = np.zeros((pictures, pooled.shape[1]), np.float32)
        vectors[loaded.indices] = functional.normalize(pooled, dim=1).numpy()
    if vectors is None:
        raise ConfigError("data.similar: not one training picture can be read")
    return SimilarGroups(vectors, size=size)


def _pooled(kept: Tensor) -> Tensor:
    """(n, channels), the mean of (n, regions, channels) or of (n, channels, rows, columns)."""
    if kept.dim() == 4:
        return kept.mean((2, 3))
    return kept.mean(1) if kept.dim() == 3 else kept
