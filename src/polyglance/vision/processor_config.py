"""What an image processor of transformers does, read from its JSON without importing it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from polyglance.vision.preprocessing import Preprocessing


class Colours(NamedTuple):
    """Mean and deviation per RGB channel, in 0-255 units."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class Processor(NamedTuple):
    """Colours and geometry; ``None`` for what the file does not say."""

    colours: Colours | None
    preprocessing: Preprocessing | None


def read_processor(name: str, *, offline: bool = True) -> Processor | None:
    """The image processor beside a model, or ``None`` where there is none.

    Args:
        name: a folder, or a name on the hub.
        offline: look only at this machine.
    """
    from transformers.utils.hub import cached_file

    try:
        found = cached_file(name, "preprocessor_config.json", local_files_only=offline)
    except OSError:
        return None
    if found is None:
        return None
    return parse_processor(json.loads(Path(found).read_text("utf-8")))


def parse_processor(config: dict[str, Any]) -> Processor:
    """The content of ``preprocessor_config.json`` → colours in 0-255 units, and geometry."""
    colours = None
    if config.get("do_normalize", True) and {"image_mean", "image_std"} <= config.keys():
        unit = 1.0 / config.get("rescale_factor", 1 / 255)
        colours = Colours(
            mean=tuple(unit * value for value in config["image_mean"]),
            std=tuple(unit * value for value in config["image_std"]),
        )
    return Processor(colours=colours, preprocessing=_geometry(config))


def _geometry(config: dict[str, Any]) -> Preprocessing | None:
    """``size`` and ``crop_size`` in their several spellings → crop or squash."""
    resized, crop = _length(config.get("size")), _length(config.get("crop_size"))
    if config.get("do_center_crop") and crop is not None:
        share = min(1.0, crop / resized) if resized else 1.0
        return Preprocessing(size=crop, fit="crop", crop_fraction=share)
    if resized is None:
        return None
    if "crop_pct" in config and resized < 384:  # ConvNeXt: resize by the share, then crop
        return Preprocessing(size=resized, fit="crop", crop_fraction=config["crop_pct"])
    keeps_ratio = isinstance(config["size"], dict) and "shortest_edge" in config["size"]
    return Preprocessing(size=resized, fit="crop" if keeps_ratio else "squash")


def _length(size: Any) -> int | None:
    if isinstance(size, dict):
        size = size.get("shortest_edge", size.get("height"))
    return size if isinstance(size, int) else None
