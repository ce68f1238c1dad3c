"""What is kept of encoded pictures and texts until they are ranked, and how they are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from polyglance.evaluation.scores import ROUNDING, EmbeddingScores, MatrixScores, Scores
from polyglance.features import Features, joined


class Scorer(Protocol):
    """Who compares; every :class:`~polyglance.systems.base.System` is one."""

    @property
    def is_inner_product(self) -> bool:
        """Whether scores are inner products of embeddings."""

    def score_all(self, images: Features, texts: Features) -> Tensor:
        """(images, texts) float32."""


class Encoded:
    """Pictures, or texts of one language, batch by batch.

    Embeddings alone where scores are inner products of them; else tokens too, in bfloat16, each
    batch padded to its own longest.

    Args:
        scorer: who will compare them.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.batches: list[Features] = []
        self._rows: list[int] = []
        self._needs_tokens = not scorer.is_inner_product

    def add(self, features: Features, rows: Sequence[int] | None = None) -> None:
        """Keep a batch; ``rows`` are its places among all, the next ones where left out."""
        start = len(self._rows)
        self._rows += range(start, start + len(features)) if rows is None else rows
        embeddings_only = Features(features.embedding.float())
        self.batches.append(features.halved() if self._needs_tokens else embeddings_only)

    @property
    def order(self) -> Tensor:
        """(all,) where each row is found among the batches laid end to end."""
        return torch.tensor(self._rows).argsort()

    @property
    def embeddings(self) -> Tensor:
        """(all, dim) float32."""
        return torch.cat([batch.embedding for batch in self.batches])[self.order].float()

    @property
    def features(self) -> Features:
        """All of them as one, padded to the longest."""
        return joined(self.batches).rows(self.order)


def compare(
    scorer: Scorer,
    images: Encoded,
    texts: Encoded,
    *,
    advance: Callable[[int], object] = lambda _pairs: None,
) -> Scores:
    """(images, texts) scores: computed when ranked if products of embeddings, else now.

    Comparing parts takes minutes where a product takes milliseconds, so that those scores are
    computed once and kept: four bytes a pair, less than the parts themselves take. Batch is
    compared with batch, which bounds everything else.

    Args:
        scorer: who compares.
        images: encoded for it.
        texts: encoded for it.
        advance: told how many pairs have been compared, time and again; never of products.
    """
    if scorer.is_inner_product:
        return EmbeddingScores(images.embeddings, texts.embeddings)
    bands = []
    for some in images.batches:
        band = []
        for others in texts.batches:
            band.append(scorer.score_all(some, others))
            advance(band[-1].numel())
        bands.append(torch.cat(band, dim=1))
    scores = torch.cat(bands)[images.order[:, None], texts.order]  # (images, texts)
    return MatrixScores(scores, tolerance=ROUNDING * float(scores.abs().max()))
