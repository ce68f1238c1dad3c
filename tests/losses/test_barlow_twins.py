"""Barlow Twins against loops over pairs and coordinates."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from polyglance.losses.barlow_twins import BarlowTwins

MASK = torch.tensor([[1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 0]]).bool()


def embeddings(seed: int = 0, dim: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(4, dim, generator=generator, dtype=torch.float64)
    texts = torch.randn(5, dim, generator=generator, dtype=torch.float64)
    return images.requires_grad_(), texts.requires_grad_()


def naive(images: Tensor, texts: Tensor, positives: Tensor) -> dict[str, Tensor]:
    pairs = [
        (images[i], texts[c])
        for i in range(len(images))
        for c in range(len(texts))
        if positives[i, c]
    ]
    dim = images.shape[1]

    def correlation(a: int, b: int) -> Tensor:
        left = torch.stack([image[a] for image, _ in pairs])
        right = torch.stack([text[b] for _, text in pairs])
        left = (left - left.mean()) / left.std(correction=0)
        right = (right - right.mean()) / right.std(correction=0)
        return (left * right).sum() / len(pairs)

    diagonal = sum((1 - correlation(a, a)) ** 2 for a in range(dim))
    rest = sum(correlation(a, b) ** 2 for a in range(dim) for b in range(dim) if a != b)
    return {"invariance": diagonal, "redundancy": 0.005 * rest}


def test_values_and_gradients() -> None:
    images, texts = embeddings()
    terms, expected = BarlowTwins()(images, texts, MASK), naive(images, texts, MASK)
    assert terms.keys() == expected.keys()
    for name, term in terms.items():
        torch.testing.assert_close(term, expected[name], rtol=1e-6, atol=1e-8)
        gradients = torch.autograd.grad(term, (images, texts), retain_graph=True)
        wanted = torch.autograd.grad(expected[name], (images, texts), retain_graph=True)
        for gradient, want in zip(gradients, wanted, strict=True):
            torch.testing.assert_close(gradient, want, rtol=1e-5, atol=1e-8)


def test_gradients_by_finite_differences() -> None:
    loss = BarlowTwins(redundancy_weight=0.5)
    inputs = embeddings(seed=1)
    assert torch.autograd.gradcheck(lambda i, t: sum(loss(i, t, MASK).values()), inputs)


def test_pairs_outside_and_order_do_not_matter() -> None:
    images, texts = embeddings(seed=2)
    loss = BarlowTwins()
    kept = loss(images[:3], texts[:4], MASK[:3, :4])  # without the lonely image and text
    rows, columns = torch.tensor([2, 0, 3, 1]), torch.tensor([4, 1, 0, 3, 2])
    shuffled = loss(images[rows], texts[columns], MASK[rows][:, columns])
    for name, term in loss(images, texts, MASK).items():
        torch.testing.assert_close(kept[name], term)
        torch.testing.assert_close(shuffled[name], term)


def test_equal_and_decorrelated_sides_cost_nothing() -> None:
    sides = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    terms = BarlowTwins()(sides, sides, torch.eye(4).bool())
    assert float(sum(terms.values())) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("pairs", [0, 1])
def test_too_few_pairs_cost_nothing(pairs: int) -> None:
    images, texts = embeddings()
    positives = torch.zeros(4, 5).bool()
    positives[0, :pairs] = True
    value = sum(BarlowTwins()(images, texts, positives).values())
    value.backward()
    assert value.item() == 0
    assert float(images.grad.abs().sum()) == 0


def test_a_dead_coordinate_stays_finite() -> None:
    images, texts = torch.rand(6, 4), torch.rand(6, 4)
    images[:, 2] = 0.25
    images.requires_grad_()
    terms = BarlowTwins()(images, texts, torch.eye(6).bool())
    sum(terms.values()).backward()
    assert torch.isfinite(images.grad).all()


def test_half_precision_is_computed_in_float32() -> None:
    images = torch.rand(6, 4, dtype=torch.bfloat16)
    texts = torch.rand(6, 4, dtype=torch.bfloat16)
    positives = torch.eye(6).bool()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = BarlowTwins()(images, texts, positives)
    full = BarlowTwins()(images.float(), texts.float(), positives)
    for name, term in full.items():
        assert half[name].dtype == torch.float32
        torch.testing.assert_close(half[name], term, rtol=0, atol=0)


def test_wrong_shapes_are_refused() -> None:
    loss = BarlowTwins()
    with pytest.raises(ValueError, match="dim"):
        loss(torch.zeros(2, 3), torch.zeros(2, 4), torch.eye(2).bool())
    with pytest.raises(ValueError, match="positives must be bool"):
        loss(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 3).bool())
