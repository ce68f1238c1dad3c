"""Order matching against a loop."""

from __future__ import annotations

import pytest
import torch

from polyglance.features import Features
from polyglance.matching.order import OrderMatching


def features(count: int, *, seed: int, dim: int = 6) -> Features:
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(count, dim, generator=generator, dtype=torch.float64)
    return Features(embedding.requires_grad_())


def test_values_and_gradients_equal_a_loop() -> None:
    images, texts = features(3, seed=0), features(4, seed=1)
    got = OrderMatching()(images, texts)
    wanted = torch.zeros(3, 4, dtype=torch.float64)
    for i in range(3):
        for c in range(4):
            total = torch.zeros((), dtype=torch.float64)
            for v, t in zip(images.embedding[i].abs(), texts.embedding[c].abs(), strict=True):
                total = total + torch.clamp(t - v, min=0) ** 2
            wanted[i, c] = -torch.sqrt(total)
    torch.testing.assert_close(got, wanted)
    weights = torch.arange(12.0, dtype=torch.float64).view(3, 4)
    inputs = (images.embedding, texts.embedding)
    for one, other in zip(
        torch.autograd.grad((got * weights).sum(), inputs),
        torch.autograd.grad((wanted * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_a_text_below_its_image_is_best() -> None:
    image = Features(torch.tensor([[0.6, 0.8]]).requires_grad_())
    texts = Features(torch.tensor([[0.5, -0.1], [0.6, 0.8], [0.8, 0.6]]))
    scores = OrderMatching()(image, texts)
    torch.testing.assert_close(scores, torch.tensor([[0.0, 0.0, -0.2]]))
    (gradient,) = torch.autograd.grad(scores[0, 0], image.embedding)
    assert gradient.isfinite().all()


def test_blocks_equal_the_whole() -> None:
    images, texts = features(5, seed=2), features(7, seed=3)
    model = OrderMatching()
    whole = model(images, texts)
    for block in model.score_in_blocks(images, texts, memory=4 * 12 * 10):
        assert block.scores.numel() <= 10
        torch.testing.assert_close(block.scores, whole[block.images, block.texts])


def test_different_spaces_are_refused() -> None:
    with pytest.raises(ValueError, match="one space"):
        OrderMatching()(features(2, seed=0), features(2, seed=0, dim=4))
