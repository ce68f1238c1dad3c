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


class DenseConfig(Part):
    """A linear layer behind a text tower, and what follows it."""

    inputs: PositiveInt
    outputs: PositiveInt
    bias: bool
    activation: Literal["identity", "tanh"]


class SentenceTowerConfig(Part):
    """A text tower of sentence-transformers, which was taught the space of an image tower.

    Attributes:
        architecture: the configuration that transformers has for it.
        pooling: the mean of its last states, or the first of them.
        dense: layers between the pooled state and the joint space.
        lowercase: texts are lowered before the tokenizer gets them.
    """

    architecture: dict[str, Any]
    pooling: Literal["mean", "first"]
    dense: tuple[DenseConfig, ...]
    lowercase: bool


class HubDualEncoderConfig(Part):
    """A CLIP, SigLIP or like model, as a checkpoint describes it; recipes do not train it.

    Attributes:
        architecture: the configuration that transformers has for it.
        text: the tower that reads texts in place of its own.
        preprocessing: of its pictures.
        max_length: tokens of a text; the rest is not read.
    """

    system: Literal["hub-dual-encoder"] = "hub-dual-encoder"
    architecture: dict[str, Any]
    text: SentenceTowerConfig | None = None
    preprocessing: ExactPreprocessingConfig
    max_length: PositiveInt
