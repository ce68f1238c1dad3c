"""The image side of one published model beside a text tower that was taught its space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor, nn

from polyglance.text.sentence_tower import SentenceTower

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TEXT_SIDE = ("text_model", "text_projection")


class Pooled(NamedTuple):
    """As outputs of transformers name it."""

    pooler_output: Tensor


class HubPair(nn.Module):
    """Two towers with the face of one dual encoder of transformers.

    Args:
        image: a dual encoder; its text side is taken out.
        text: ends in the space of its pictures.
    """

    def __init__(self, *, image: PreTrainedModel, text: SentenceTower) -> None:
        super().__init__()
        for name in TEXT_SIDE:
            if hasattr(image, name):
                image.register_module(name, None)
        self.image: Any = image
        self.text = text

    def get_image_features(self, pixel_values: Tensor) -> Any:
        """(batch, 3, size, size) → an output with ``pooler_output`` (batch, dimension)."""
        return self.image.get_image_features(pixel_values=pixel_values)

    def get_text_features(self, input_ids: Tensor, attention_mask: Tensor) -> Pooled:
        """(texts, length) each → ``pooler_output`` (texts, dimension)."""
        return Pooled(self.text(input_ids, attention_mask))
