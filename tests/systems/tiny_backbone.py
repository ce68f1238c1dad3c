"""A convolutional network from a configuration alone, small enough for a test."""

from __future__ import annotations

from polyglance.systems.config import TransformersBackboneConfig

TINY = TransformersBackboneConfig(
    architecture={
        "model_type": "resnet",
        "embedding_size": 8,
        "hidden_sizes": [8, 16],
        "depths": [1, 1],
        "layer_type": "basic",
    },
    size=32,
)
