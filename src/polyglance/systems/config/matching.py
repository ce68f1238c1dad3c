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
        inverse_temperature: λ of the softmax; ``None``: the authors' for the direction, 9 where
            words ask and 4 where regions do.
        lse_scale: λ of the log of the summed exponentials; ``None``: likewise 6 and 5, their
            numbers for Flickr30k.
    """

    kind: Literal["stacked-cross-attention"] = "stacked-cross-attention"
    direction: Literal["text-to-image", "image-to-text"] = "text-to-image"
    pooling: Literal["lse", "mean"] = "mean"
    inverse_temperature: PositiveFloat | None = None
    lse_scale: PositiveFloat | None = None


MatchingConfig = Annotated[
    CosineConfig | OrderConfig | StackedCrossAttentionConfig, Field(discriminator="kind")
]
