"""Stacked cross attention against a loop over pairs, parts and parts of parts."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, leaky_relu, normalize

from polyglance.features import Features
from polyglance.matching import stacked_cross_attention
from polyglance.matching.stacked_cross_attention import Direction, Pooling, StackedCrossAttention

DIM, REGIONS, WORDS = 5, 4, 6
VARIANTS = list(product(["text-to-image", "image-to-text"], ["lse", "mean"]))


def matching(direction: Direction, pooling: Pooling) -> StackedCrossAttention:
    return StackedCrossAttention(
        direction=direction, pooling=pooling, inverse_temperature=7.0, lse_scale=5.0
    )


def naive_pair(regions: Tensor, words: Tensor, direction: str, pooling: str) -> Tensor:
    """One image and one text, (regions, dim) and (words, dim), by section 3.1 to the letter."""
    queries, context = (words, regions) if direction == "text-to-image" else (regions, words)
    attention = leaky_relu(queries @ context.T, 0.1)  # (queries, context)
    columns = [column / column.norm() for column in attention.unbind(dim=1)]
    attention = torch.stack(columns, dim=1)
    similar = []
    for row, query in enumerate(queries):
        weights = (7.0 * attention[row]).softmax(dim=0)
        found = sum(weight * part for weight, part in zip(weights, context, strict=True))
        similar.append(cosine_similarity(query, found, dim=0))
    if pooling == "mean":
        return sum(similar) / len(similar)
    return torch.log(sum(torch.exp(5.0 * one) for one in similar)) / 5.0


def naive(images: Features, texts: Features, direction: str, pooling: str) -> Tensor:
    rows = []
    for regions, there in zip(images.tokens, images.mask, strict=True):
        row = [
            naive_pair(
                normalize(regions[there], dim=1), normalize(words[said], dim=1), direction, pooling
            )
            for words, said in zip(texts.tokens, texts.mask, strict=True)
        ]
        rows.append(torch.stack(row))
    return torch.stack(rows)


def parts(count: int, length: int, *, seed: int, padded: bool = True) -> Features:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(count, length, DIM, generator=generator, dtype=torch.float64)
    lengths = torch.randint(1, length + 1, (count, 1), generator=generator)
    mask = torch.arange(length) < (lengths if padded else torch.full((count, 1), length))
    return Features(tokens[:, 0], tokens.requires_grad_(), mask)


@pytest.mark.parametrize(("direction", "pooling"), VARIANTS)
@pytest.mark.parametrize("block", [1, 50, 10**6])
@pytest.mark.parametrize("padded", [True, False])
def test_values_and_gradients_equal_a_loop(
    direction: Direction,
    pooling: Pooling,
    block: int,
    padded: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stacked_cross_attention, "BLOCK", block)
    images = parts(5, REGIONS, seed=1, padded=padded)
    texts = parts(7, WORDS, seed=2)
    got = matching(direction, pooling)(images, texts)
    wanted = naive(images, texts, direction, pooling)
    torch.testing.assert_close(got, wanted)
    # Half of the pairs have no gradient, and one text has none at all.
    weights = torch.randn_like(wanted) * (torch.rand_like(wanted) < 0.5)
    weights[:, 3] = 0
    inputs = (images.tokens, texts.tokens)
    got_gradients = torch.autograd.grad((got * weights).sum(), inputs)
    wanted_gradients = torch.autograd.grad((wanted * weights).sum(), inputs)
    for one, other in zip(got_gradients, wanted_gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("direction", "pooling"), VARIANTS)
def test_a_score_does_not_depend_on_its_batch(direction: Direction, pooling: Pooling) -> None:
    images, texts = parts(4, REGIONS, seed=3), parts(6, WORDS, seed=4)
    whole = matching(direction, pooling)(images, texts)
    for row, column in product(range(4), range(6)):
        regions = images.tokens[row, images.mask[row]][None]
        words = texts.tokens[column, texts.mask[column]][None]
        alone = matching(direction, pooling)(
            Features(regions[:, 0], regions), Features(words[:, 0], words)
        )
        torch.testing.assert_close(alone[0, 0], whole[row, column])


def test_padding_may_stand_anywhere() -> None:
    tokens = torch.randn(2, 4, DIM, dtype=torch.float64)
    mask = torch.tensor([[True, False, True, True], [False, True, False, True]])
    images, texts = parts(3, REGIONS, seed=5), Features(tokens[:, 0], tokens, mask)
    got = matching("image-to-text", "mean")(images, texts)
    torch.testing.assert_close(got, naive(images, texts, "image-to-text", "mean"))


@pytest.mark.parametrize(("direction", "pooling"), VARIANTS)
def test_autocast_rounds_products_only(direction: Direction, pooling: Pooling) -> None:
    images, texts = parts(4, REGIONS, seed=6), parts(6, WORDS, seed=7)
    exact = matching(direction, pooling)(images, texts)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = matching(direction, pooling)(
            Features(images.embedding, images.tokens.float(), images.mask),
            Features(texts.embedding, texts.tokens.float(), texts.mask),
        )
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded.double(), exact, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(("direction", "pooling"), VARIANTS)
def test_no_text_has_no_score_and_pulls_at_nothing(direction: Direction, pooling: Pooling) -> None:
    images, texts = parts(4, REGIONS, seed=1), parts(0, WORDS, seed=2)
    scores = matching(direction, pooling)(images, texts)
    assert scores.shape == (4, 0)
    (gradient,) = torch.autograd.grad(scores.sum(), images.tokens)
    assert not gradient.any()


def test_words_that_find_nothing_have_finite_gradients() -> None:
    tokens = torch.eye(4)[None, :2].clone().requires_grad_()
    images = Features(tokens[:, 0], torch.eye(4)[None, 2:])  # orthogonal: all products are zero
    for variant in VARIANTS:
        scores = matching(*variant)(images, Features(tokens[:, 0], tokens))
        (gradient,) = torch.autograd.grad(scores.sum(), tokens)
        assert scores.isfinite().all()
        assert gradient.isfinite().all()


def test_blocks_equal_the_whole() -> None:
    images, texts = parts(5, REGIONS, seed=8), parts(7, WORDS, seed=9)
    model = matching("text-to-image", "lse")
    whole = model(images, texts)
    assert model.floats_per_pair(images, texts) >= REGIONS * WORDS
    seen = torch.full_like(whole, math.nan)
    for block in model.score_in_blocks(images, texts, memory=4 * 60 * REGIONS):
        seen[block.images, block.texts] = block.scores
    torch.testing.assert_close(seen, whole)


def test_sides_without_parts_are_refused() -> None:
    images, texts = parts(2, REGIONS, seed=1), parts(2, WORDS, seed=2)
    model = matching("text-to-image", "mean")
    with pytest.raises(ValueError, match="no image comes with any"):
        model(Features(images.embedding), texts)
    nothing = Features(texts.embedding, texts.tokens, torch.zeros_like(texts.mask))
    with pytest.raises(ValueError, match="one text has no part"):
        model(images, nothing)


def test_each_direction_has_the_authors_scales() -> None:
    images, texts = parts(3, REGIONS, seed=1), parts(4, WORDS, seed=2)
    for (direction, pooling), scales in zip(
        VARIANTS, [(9, 6), (9, 6), (4, 5), (4, 5)], strict=True
    ):
        given = StackedCrossAttention(
            direction=direction,
            pooling=pooling,
            inverse_temperature=scales[0],
            lse_scale=scales[1],
        )
        left_out = StackedCrossAttention(direction=direction, pooling=pooling)
        assert torch.equal(left_out(images, texts), given(images, texts))


@pytest.mark.parametrize("scale", [0.0, -1.0, 31.0])
def test_scales_out_of_range_are_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        StackedCrossAttention(inverse_temperature=scale)
    with pytest.raises(ValueError, match="scale"):
        StackedCrossAttention(lse_scale=scale)
