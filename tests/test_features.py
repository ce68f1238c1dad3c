"""Features: rows, halves and joins."""

from __future__ import annotations

import pytest
import torch

from polyglance.features import Features, joined


def features(count: int, length: int, *, masked: bool = True) -> Features:
    tokens = torch.randn(count, length, 3)
    mask = torch.arange(length) < torch.randint(1, length + 1, (count, 1)) if masked else None
    return Features(torch.randn(count, 3), tokens, mask)


def test_joined_features_are_padded_to_the_longest() -> None:
    short, long = features(2, 3, masked=False), features(4, 5)
    both = joined([short, long])
    assert len(both) == 6
    torch.testing.assert_close(both.embedding[2:], long.embedding)
    torch.testing.assert_close(both.tokens[:2, :3], short.tokens)
    assert both.mask[:2].tolist() == [[True] * 3 + [False] * 2] * 2
    torch.testing.assert_close(both.rows(slice(2, None)).tokens, long.tokens)
    torch.testing.assert_close(both.rows(torch.tensor([5, 2])).mask, long.mask[[3, 0]])


def test_embeddings_alone_are_joined_and_mixtures_refused() -> None:
    bare = Features(torch.randn(2, 3))
    assert joined([bare, bare]).tokens is None
    with pytest.raises(ValueError, match="1 of 2"):
        joined([bare, features(2, 3)])
    with pytest.raises(ValueError, match="no features"):
        joined([])


def test_halved_features_keep_embeddings_exact() -> None:
    whole = features(2, 3)
    assert whole.halved().tokens.dtype == torch.bfloat16
    assert whole.halved().embedding is whole.embedding
    bare = Features(torch.randn(2, 3))
    assert bare.halved() is bare
