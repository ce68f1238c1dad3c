"""Pretrained backbones by name, from the cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from polyglance.errors import ModelError
from polyglance.vision.base import Backbone
from polyglance.vision.preprocessing import Preprocessing


class _Builder(Protocol):
    def __call__(
        self, arguments: dict[str, Any], class_names: list[str], preprocessing: Preprocessing
    ) -> Backbone: ...


def _resnet(
    arguments: dict[str, Any], class_names: list[str], preprocessing: Preprocessing
) -> Backbone:
    from polyglance.vision.resnet import ResNet

    return ResNet(**arguments, class_names=class_names, preprocessing=preprocessing)


def _efficientnet_lite(
    arguments: dict[str, Any], class_names: list[str], preprocessing: Preprocessing
) -> Backbone:
    from polyglance.vision.efficientnet_lite import EfficientNetLite

    return EfficientNetLite(**arguments, class_names=class_names, preprocessing=preprocessing)


BUILDERS: dict[str, _Builder] = {"resnet": _resnet, "efficientnet-lite": _efficientnet_lite}
"""``kind`` in a tower's ``config.json`` → builder."""


def load_tower(name: str, *, preprocessing: Preprocessing | None = None) -> Backbone:
    """A pretrained image tower of the catalogue, such as ``resnet50``, in evaluation mode.

    Args:
        name: in :data:`polyglance.weights.catalogue.ASSETS`.
        preprocessing: geometry of the pixels; by default, the tower's size.

    Raises:
        WeightsError: it has not been downloaded.
    """
    from polyglance.weights.fetch import ensure

    return load_tower_folder(ensure(name), preprocessing=preprocessing)


def load_tower_folder(folder: Path, *, preprocessing: Preprocessing | None = None) -> Backbone:
    """A pretrained image tower from a converted folder, in evaluation mode.

    Raises:
        ModelError: the folder holds no image tower.
    """
    from safetensors.torch import load_file

    from polyglance.weights.tower import CONFIG, WEIGHTS

    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{folder} holds no image tower (no {CONFIG})") from None
    kind = config.get("kind")
    if kind not in BUILDERS:
        raise ModelError(f"{folder / CONFIG}: unknown kind {kind!r}; known: {', '.join(BUILDERS)}")
    chosen = preprocessing or Preprocessing(size=config["size"])
    tower = BUILDERS[kind](config["arguments"], config["class_names"], chosen)
    tower.load_state_dict(load_file(folder / WEIGHTS))
    return tower.eval()
