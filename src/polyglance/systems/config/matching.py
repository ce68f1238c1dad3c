"""Configuration of how an image and a text are compared."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from polyglance.systems.config.part import Part


class CosineConfig(Part):
    """Cosine of embeddings."""

    kind: Literal["cosine"] = "cosine"


class OrderConfig(Part):
    """How far a text is from lying below its image."""

    kind: Literal["order"] = "order"


class StackedCrossAttentionConfig(Part):
    """SCAN.

    Attributes:
        direction: whose parts ask: ``text-to-image`` words, ``image-to-text`` regions.
        pooling: of the parts' similarities.
        inverse_temperature: λ of the softmax.
        lse_scale: λ of the log of the summed exponentials.
    """

    kind: Literal["stacked-cross-attention"] = "stacked-cross-attention"
    direction: Literal["text-to-image", "image-to-text"] = "text-to-image"
    pooling: Literal["lse", "mean"] = "mean"
    inverse_temperature: PositiveFloat = 9.0
    lse_scale: PositiveFloat = 6.0


MatchingConfig = Annotated[
    CosineConfig | OrderConfig | StackedCrossAttentionConfig, Field(discriminator="kind")
]
