"""What a training step sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures and captions, joined by picture id and never by position.

    Attributes:
        images: (images, ...) uint8 pixels (images, 3, height, width), or cached backbone features
            where the backbone is frozen.
        image_ids: (images,) int64, the picture's index in its dataset; may repeat.
        texts: captions as strings.
        languages: the BCP-47 tag of each text.
        text_image_ids: (texts,) int64, the picture that each text describes.
        shared: (images, texts) bool or ``None``: further true pairs, where a text is also, word
            for word, a caption of another picture in the batch.
    """

    images: Tensor
    image_ids: Tensor
    texts: list[str]
    languages: list[str]
    text_image_ids: Tensor
    shared: Tensor | None = None

    @property
    def positives(self) -> Tensor:
        """(images, texts) bool: which texts describe which pictures, in any language."""
        own = self.image_ids[:, None] == self.text_image_ids[None, :]  # (images, texts)
        return own if self.shared is None else own | self.shared
