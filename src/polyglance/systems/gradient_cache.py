"""Batches larger than memory: chunks encoded twice, so that only one has a graph at a time.

Gradient caching (Gao et al. 2021, "Scaling deep contrastive learning batch size under memory
limited setup"): encode chunk by chunk and keep only the embeddings; take the loss of all of them
and its gradients with respect to the embeddings; encode each chunk again, with a graph now, and
let these gradients flow on to the parameters. They are those of the whole batch.

Torch's activation checkpointing does the same by itself where a chunk is one checkpoint: what the
second encoding needs is computed when gradients reach it, chunk after chunk and with the random
state of the first, so that dropout drops the same; DDP and mixed precision see one backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from polyglance.errors import ConfigError
from polyglance.features import Features, joined

if TYPE_CHECKING:
    from torch import Tensor

    from polyglance.systems.base import System

Result = TypeVar("Result")


def computed_twice(function: Callable[..., Result], *args: Any) -> Result:
    """Call a function without keeping what its gradients need; they compute it anew."""
    result: Result = checkpoint(function, *args, use_reentrant=False)
    return result


def encode_images(system: System, images: Tensor) -> Features:
    """The system's ``encode_images``, in chunks where it has a ``chunk_size``."""
    size = system.chunk_size
    if size is None or len(images) <= size:
        return system.encode_images(images)
    chunks = torch.split(images, size)
    return joined([computed_twice(system.encode_images, chunk) for chunk in chunks])


def encode_texts(system: System, texts: Sequence[str], languages: Sequence[str]) -> Features:
    """The system's ``encode_texts``, in chunks where it has a ``chunk_size``."""
    size = system.chunk_size
    if size is None or len(texts) <= size:
        return system.encode_texts(system.prepare_texts(texts, languages))
    inputs = (
        system.prepare_texts(texts[start : start + size], languages[start : start + size])
        for start in range(0, len(texts), size)
    )
    return joined([computed_twice(system.encode_texts, some) for some in inputs])


def check_chunks(system: System) -> None:
    """See that chunks give the gradients of the whole batch; call it in training mode.

    Raises:
        ConfigError: the system does not encode in chunks, or a layer of it looks at whole batches.
    """
    if not system.encodes_in_chunks:
        raise ConfigError(
            f"training.chunk_size: {type(system).__name__} does not train in chunks as it is "
            "configured, since its loss is not over features or scores alone; remove the key"
        )
    for name, module in system.named_modules():
        if isinstance(module, _BatchNorm) and module.training:
            raise ConfigError(
                f"training.chunk_size: {name} normalises over the batch, which chunks would "
                "change; freeze that part, or remove the key"
            )
