"""The contract of matching: features of images and of texts in, scores of all pairs out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import isqrt
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from polyglance.features import Features
from polyglance.slices import slices


class ScoreBlock(NamedTuple):
    """A rectangle of the matrix of scores.

    Attributes:
        images: its rows.
        texts: its columns.
        scores: (rows, columns).
    """

    images: slice
    texts: slice
    scores: Tensor


class Matching(nn.Module, ABC):
    """Compares images and texts; a vector product, an attention, or a whole network.

    Some comparisons need far more memory than the score they end in. ``floats_per_pair`` says how
    much, and ``score_in_blocks`` uses it to score collections of any size in bounded memory.

    Attributes:
        is_inner_product: whether a score is the inner product of two embeddings, so that vectors
            can be indexed and searched; any other comparison has to see every pair.
    """

    is_inner_product: ClassVar[bool] = False

    @abstractmethod
    def forward(self, images: Features, texts: Features) -> Tensor:
        """(images, texts) scores, higher is more alike."""

    def floats_per_pair(self, images: Features, texts: Features) -> int:  # noqa: ARG002
        """How many numbers are held at once to score one pair; 1 where it is the score alone."""
        return 1

    def score_in_blocks(
        self, images: Features, texts: Features, *, memory: int = 2**28
    ) -> Iterator[ScoreBlock]:
        """Score all pairs, block by block, in row-major order.

        A block holds whole rows as long as one row fits. Where a pair takes more than its score,
        a block is about square: each side then comes into the fewest blocks.

        Args:
            images: whose embeddings are (images, dim).
            texts: whose embeddings are (texts, dim).
            memory: bytes that a block may take, at four bytes a number.

        Raises:
            ValueError: ``memory`` is not positive.
        """
        if memory <= 0:
            raise ValueError(f"memory is {memory} bytes; a block needs some")
        floats = self.floats_per_pair(images, texts)
        pairs = max(memory // (4 * floats), 1)
        columns = min(pairs if floats == 1 else isqrt(pairs), max(len(texts.embedding), 1))
        rows = max(pairs // columns, 1)
        for image_slice in slices(len(images.embedding), rows):
            block_images = images.rows(image_slice)
            for text_slice in slices(len(texts.embedding), columns):
                scores = self(block_images, texts.rows(text_slice))
                yield ScoreBlock(image_slice, text_slice, scores)

    def score_all(self, images: Features, texts: Features, *, memory: int = 2**28) -> Tensor:
        """(images, texts) scores in float32, with no more ``memory`` on the way; no gradients."""
        scores = images.embedding.new_empty(
            len(images.embedding), len(texts.embedding), dtype=torch.float32
        )
        with torch.no_grad():
            for block in self.score_in_blocks(images, texts, memory=memory):
                scores[block.images, block.texts] = block.scores
        return scores


def in_one_space(images: Features, texts: Features) -> tuple[Tensor, Tensor]:
    """The embeddings of both sides, (images, dim) and (texts, dim).

    Raises:
        ValueError: the two sides have different dimensions.
    """
    left, right = images.embedding, texts.embedding
    if left.shape[1] != right.shape[1]:
        raise ValueError(
            f"images have {left.shape[1]} dimensions and texts {right.shape[1]}; "
            "both must be embedded in one space"
        )
    return left, right
