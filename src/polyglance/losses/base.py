"""The two contracts of a loss: over scores, or over embeddings. No model inside."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class ScoreLoss(nn.Module, ABC):
    """A loss over a matrix of scores."""

    @abstractmethod
    def forward(self, scores: Tensor, positives: Tensor) -> dict[str, Tensor]:
        """Named terms to be summed.

        Args:
            scores: (images, texts), higher is more alike.
            positives: (images, texts) bool; every true pair is a positive, whatever its position.
                Positives are masked out of the negatives and are never pushed apart.
        """


class EmbeddingLoss(nn.Module, ABC):
    """A loss over the embeddings themselves."""

    @abstractmethod
    def forward(self, images: Tensor, texts: Tensor, positives: Tensor) -> dict[str, Tensor]:
        """Named terms to be summed.

        Args:
            images: (images, dim).
            texts: (texts, dim).
            positives: (images, texts) bool.
        """
