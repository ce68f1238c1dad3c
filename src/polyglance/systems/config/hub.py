"""Configuration of a dual encoder that was published for transformers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import PositiveInt

from polyglance.systems.config.part import Part

Channels = tuple[float, float, float]


class ExactPreprocessingConfig(Part):
    """Its pictures; see :class:`~polyglance.vision.exact_preprocessing.ExactPreprocessing`.

    Attributes:
        mean: of each channel, in 0-255 units.
        std: of each channel, in 0-255 units.
    """

    size: PositiveInt
    fit: Literal["crop", "squash"]
    crop_fraction: float
    shorter: PositiveInt
    resample: int
    mean: Channels
    std: Channels


class HubDualEncoderConfig(Part):
    """A CLIP, SigLIP or like model, as a checkpoint describes it; recipes do not train it.

    Attributes:
        architecture: the configuration that transformers has for it.
        preprocessing: of its pictures.
        max_length: tokens of a text; the rest is not read.
    """

    system: Literal["hub-dual-encoder"] = "hub-dual-encoder"
    architecture: dict[str, Any]
    preprocessing: ExactPreprocessingConfig
    max_length: PositiveInt
