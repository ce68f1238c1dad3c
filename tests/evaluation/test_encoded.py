"""Encoded batches compared: in any order, by embeddings or by parts."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from polyglance.evaluation.encoded import Encoded, compare
from polyglance.evaluation.ranks import rank
from polyglance.evaluation.scores import EmbeddingScores
from polyglance.features import Features, joined
from polyglance.matching.base import Matching
from polyglance.matching.cosine import CosineMatching
from polyglance.matching.order import OrderMatching
from polyglance.matching.stacked_cross_attention import StackedCrossAttention

ATTENTION = StackedCrossAttention(direction="image-to-text", pooling="lse", inverse_temperature=4.0)


def batch(count: int, length: int) -> Features:
    tokens = normalize(torch.randn(count, length, 8), dim=-1)
    mask = torch.arange(length) < torch.randint(1, length + 1, (count, 1))
    return Features(normalize(tokens[:, 0], dim=-1), tokens, mask)


@pytest.mark.parametrize("matching", [CosineMatching(), OrderMatching(), ATTENTION], ids=type)
def test_scores_are_those_of_all_together(matching: Matching) -> None:
    images, texts = [batch(3, 4), batch(2, 4)], [batch(4, 7), batch(3, 2)]
    rows = [[6, 1, 3, 0], [2, 5, 4]]  # where the texts of each batch belong
    encoded_images, encoded_texts = Encoded(matching), Encoded(matching)
    for some in images:
        encoded_images.add(some)
    for some, places in zip(texts, rows, strict=True):
        encoded_texts.add(some, places)
    told: list[int] = []
    scores = compare(matching, encoded_images, encoded_texts, advance=told.append)
    assert scores.shape == (5, 7)
    assert sum(told) == (0 if matching.is_inner_product else 35)
    assert isinstance(scores, EmbeddingScores) == matching.is_inner_product
    wanted = torch.empty(5, 7)
    if matching is ATTENTION:  # tokens are kept in bfloat16
        images, texts = ([some.halved() for some in side] for side in (images, texts))
    wanted[:, rows[0] + rows[1]] = matching.score_all(joined(images), joined(texts))
    torch.testing.assert_close(scores.block(slice(0, 5), slice(0, 7)), wanted, rtol=0, atol=1e-6)
    part = scores.part(torch.tensor([4, 0]), torch.tensor([1, 6, 2]))
    torch.testing.assert_close(
        part.block(slice(0, 2), slice(0, 3)), wanted[[4, 0]][:, [1, 6, 2]], rtol=0, atol=1e-6
    )


def test_only_what_scores_need_is_kept() -> None:
    by_embedding, by_parts = Encoded(CosineMatching()), Encoded(ATTENTION)
    for encoded in (by_embedding, by_parts):
        encoded.add(batch(3, 4))
    assert by_embedding.batches[0].tokens is None
    assert by_parts.batches[0].tokens.dtype == torch.bfloat16


def test_a_collapsed_attention_finds_nothing() -> None:
    """All parts alike: scores differ by rounding alone, and ties rank last."""
    part = normalize(torch.randn(8), dim=0)
    images, texts = Encoded(ATTENTION), Encoded(ATTENTION)
    for length in (3, 5):
        images.add(Features(part.expand(4, 8), part.expand(4, 6, 8)))
        texts.add(Features(part.expand(4, 8), part.expand(4, length, 8)))
    both = rank(compare(ATTENTION, images, texts), row_ids=range(8), column_ids=range(8))
    assert both.columns.best.tolist() == [8] * 8
