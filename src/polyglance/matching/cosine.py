"""The matching of every dual encoder."""

from __future__ import annotations

from torch import Tensor

from polyglance.features import Features
from polyglance.matching.base import Matching, in_one_space
from polyglance.precision import at_least_float32, full_precision


class CosineMatching(Matching):
    """Cosine of embeddings: one matrix product, since encoders return unit rows.

    Always in float32 or better: rounded to bfloat16, cosines of close candidates fall together
    and ranks are lost.
    """

    is_inner_product = True

    def forward(self, images: Features, texts: Features) -> Tensor:
        """(images, dim), (texts, dim) → (images, texts) in [−1, 1].

        Raises:
            ValueError: the two sides have different dimensions.
        """
        left, right = in_one_space(images, texts)
        with full_precision(left):
            return at_least_float32(left) @ at_least_float32(right).T  # (images, texts)
