"""Cosine matching, whole and in blocks."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from polyglance.features import Features
from polyglance.matching.base import Matching, ScoreBlock
from polyglance.matching.cosine import CosineMatching


def features(count: int, *, dim: int = 8, seed: int = 0, length: int | None = None) -> Features:
    generator = torch.Generator().manual_seed(seed)
    embedding = normalize(torch.randn(count, dim, generator=generator), dim=-1)
    if length is None:
        return Features(embedding=embedding)
    tokens = torch.randn(count, length, dim, generator=generator)
    return Features(embedding, tokens, torch.rand(count, length, generator=generator) < 0.7)


class BestWord(Matching):
    """A late interaction, for which blocks must cut tokens and masks alike."""

    def forward(self, images: Features, texts: Features) -> torch.Tensor:
        assert texts.tokens is not None
        assert texts.mask is not None
        scores = torch.einsum("id,twd->itw", images.embedding, texts.tokens)
        return scores.masked_fill(~texts.mask, -2).amax(-1)

    def floats_per_pair(self, images: Features, texts: Features) -> int:
        assert texts.tokens is not None
        return texts.tokens.shape[1]


def assemble(blocks: list[ScoreBlock], images: int, texts: int) -> torch.Tensor:
    whole = torch.full((images, texts), torch.nan)
    for block in blocks:
        assert whole[block.images, block.texts].isnan().all()  # no pair is scored twice
        whole[block.images, block.texts] = block.scores
    return whole


def test_scores_are_cosines() -> None:
    images, texts = features(3), features(5, seed=1)
    scores = CosineMatching()(images, texts)
    assert scores.shape == (3, 5)
    for i in range(3):
        for c in range(5):
            wanted = torch.cosine_similarity(images.embedding[i], texts.embedding[c], dim=0)
            torch.testing.assert_close(scores[i, c], wanted)


def test_autocast_does_not_round_scores() -> None:
    images, texts = features(3), features(5, seed=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = CosineMatching()(images, texts)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, CosineMatching()(images, texts), rtol=0, atol=0)


def test_different_spaces_are_refused() -> None:
    with pytest.raises(ValueError, match="one space"):
        CosineMatching()(features(2, dim=8), features(2, dim=4))


@pytest.mark.parametrize("memory", [1, 40, 160, 2**20])
@pytest.mark.parametrize("matching", [CosineMatching(), BestWord()], ids=type)
def test_blocks_cover_the_matrix_within_their_memory(matching: Matching, memory: int) -> None:
    images, texts = features(7), features(11, seed=1, length=4)
    blocks = list(matching.score_in_blocks(images, texts, memory=memory))
    largest = max(block.scores.numel() for block in blocks)
    assert largest <= max(memory // (4 * matching.floats_per_pair(images, texts)), 1)
    torch.testing.assert_close(assemble(blocks, 7, 11), matching(images, texts))


def test_blocks_hold_whole_rows_where_one_fits() -> None:
    blocks = list(CosineMatching().score_in_blocks(features(7), features(11), memory=4 * 25))
    assert [block.scores.shape for block in blocks] == [(2, 11), (2, 11), (2, 11), (1, 11)]


def test_nothing_to_score_gives_no_block() -> None:
    assert not list(CosineMatching().score_in_blocks(features(0), features(3)))
    assert not list(CosineMatching().score_in_blocks(features(3), features(0)))


def test_no_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="memory"):
        next(CosineMatching().score_in_blocks(features(1), features(1), memory=0))
