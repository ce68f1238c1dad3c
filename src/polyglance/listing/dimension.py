"""The dimension of a model's embeddings, from its description and the shapes of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polyglance.listing.headers import Shapes

_PAIR_BY_PAIR = ("scan", "fei")  # systems whose scores are no inner products
_ENDS = (
    "visual_projection.weight",
    "vision_model.post_layernorm.weight",
)  # the first that is there


def dimension_of_checkpoint(model: Mapping[str, Any], shapes: Shapes) -> int | None:
    """Of a checkpoint of ours; ``None`` where it compares pair by pair.

    Args:
        model: the configuration, as a checkpoint has it.
        shapes: of its own weights.
    """
    system = model["system"]
    matching = model.get("matching", {}).get("kind", "cosine")
    if system in _PAIR_BY_PAIR or matching != "cosine":
        return None
    if system == "hub-dual-encoder":
        return dimension_of_published(shapes)
    if system == "mini":
        if model.get("axes"):
            return int(model["axes"])
        # Captions, a part for each branch, and names.
        names = shapes.get("image.names.vectors", (0,))[-1]
        return int(model["branches"] * model["branch_dimension"]) + names
    return int(model["dimension"])


def dimension_of_published(shapes: Shapes) -> int | None:
    """Of a model of transformers: what its image tower's last layer gives."""
    for end in _ENDS:
        for name, shape in shapes.items():
            if name.endswith(end):
                return shape[0]
    return None
