"""Order embeddings: a text lies below its image in every dimension."""

from __future__ import annotations

import torch
from torch import Tensor

from polyglance.features import Features
from polyglance.matching.base import Matching, in_one_space
from polyglance.precision import at_least_float32, full_precision

NOTHING = 1e-16  # a squared violation that counts as none, so that the root has a gradient


class OrderMatching(Matching):
    """How far a text is from being more general than an image (Vendrov et al., ICLR 2016).

    Equation 2 there, with the square root that VSE++ takes for its order variant::

        s(v, t) = −‖max(0, t − v)‖

    It is 0 where the order holds and not symmetrical. VSE++ compares absolute values of unit
    vectors so; embeddings of any sign are made non-negative here, as it does.
    """

    def forward(self, images: Features, texts: Features) -> Tensor:
        """(images, dim), (texts, dim) → (images, texts), at most 0.

        Raises:
            ValueError: the two sides have different dimensions.
        """
        left, right = in_one_space(images, texts)
        with full_precision(left):
            above, below = at_least_float32(left).abs(), at_least_float32(right).abs()
            # (images, texts, dim)
            violation = torch.relu(below[None] - above[:, None])
            return -violation.square().sum(dim=-1).add(NOTHING).sqrt()

    def floats_per_pair(self, images: Features, texts: Features) -> int:  # noqa: ARG002
        """The violation of every dimension, and its square."""
        return 2 * images.embedding.shape[1]
