"""Attention against a loop over heads and places."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from polyglance.single_stream.attention import attend

SHAPE = 2, 3, 5, 4  # n, heads, length, dimension


def loop(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float) -> Tensor:
    rows = []
    for pair in range(SHAPE[0]):
        for place in range(SHAPE[2]):
            for head in range(SHAPE[1]):
                there = [other for other in range(SHAPE[2]) if mask[pair, other]]
                weights = [
                    torch.exp(scaling * query[pair, head, place] @ key[pair, head, other])
                    for other in there
                ]
                found = sum(
                    weight * value[pair, head, other]
                    for weight, other in zip(weights, there, strict=True)
                )
                rows.append(found / sum(weights))
    return torch.stack(rows).view(SHAPE[0], SHAPE[2], SHAPE[1], SHAPE[3])


def inputs() -> tuple[list[Tensor], Tensor]:
    torch.manual_seed(0)
    parts = [torch.randn(SHAPE, dtype=torch.double, requires_grad=True) for _ in range(3)]
    return parts, torch.tensor([[True, True, False, True, False], [True] * 5])


def test_values_and_gradients_are_those_of_a_loop() -> None:
    parts, mask = inputs()
    scaling = 1 / math.sqrt(SHAPE[3])
    found, weights = attend(nn.Identity(), *parts, mask[:, None, None], scaling=scaling)
    expected = loop(*parts, mask, scaling)
    assert weights is None
    torch.testing.assert_close(found, expected)
    into = torch.randn_like(found)
    one = torch.autograd.grad((found * into).sum(), parts)
    other = torch.autograd.grad((expected * into).sum(), parts)
    for mine, theirs in zip(one, other, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert not one[1][0, :, 2].any()  # nothing flows into padding


def test_dropout_leaves_out_weights() -> None:
    (query, key, _), mask = inputs()
    ones = torch.ones(SHAPE, dtype=torch.double)
    each = torch.stack(
        [
            attend(nn.Identity(), query, key, ones, mask[:, None, None], scaling=0.5, dropout=0.5)[
                0
            ]
            for _ in range(200)
        ]
    )
    assert each.std() > 0.3
    torch.testing.assert_close(each.mean(), torch.tensor(1.0).double(), rtol=0, atol=0.05)


def test_accelerators_get_their_fused_kernel() -> None:
    """On no real device: shapes alone, through the branch that is not the processor's."""
    parts = [torch.empty(SHAPE, device="meta") for _ in range(3)]
    mask = torch.ones(2, 1, 1, 5, dtype=torch.bool, device="meta")
    found, _ = attend(nn.Identity(), *parts, mask, scaling=0.5)
    assert found.shape == (SHAPE[0], SHAPE[2], SHAPE[1], SHAPE[3])


def test_the_fused_kernel_finds_the_same() -> None:
    """What accelerators compute, called here with the same arguments."""
    parts, mask = inputs()
    found, _ = attend(nn.Identity(), *parts, mask[:, None, None], scaling=0.3)
    fused = torch.nn.functional.scaled_dot_product_attention(
        *parts, attn_mask=mask[:, None, None], scale=0.3
    )
    torch.testing.assert_close(found, fused.transpose(1, 2))
