"""The noise filter against loops over words and heads; padding takes part in nothing."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from polyglance.features import Features
from polyglance.text.noise_filter import NoiseFilter

LENGTHS = ([4, 2, 1], [3, 5, 2])


def texts(lengths: list[int], seed: int) -> Features:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(3, 5, 8, generator=generator).double()
    mask = torch.arange(5) < torch.tensor(lengths)[:, None]
    return Features(tokens[:, 0], tokens, mask)


def built() -> NoiseFilter:
    torch.manual_seed(0)
    block = NoiseFilter(dimension=8, heads=2).double().eval()
    torch.nn.init.normal_(block.attention.in_proj_bias)
    torch.nn.init.normal_(block.attention.out_proj.bias)
    return block


def naive(block: NoiseFilter, source: Tensor, target: Tensor) -> Tensor:
    """Two heads of four dimensions, one asking word after the other."""
    weights = block.attention.in_proj_weight.chunk(3)
    biases = block.attention.in_proj_bias.chunk(3)
    asked = [word @ weights[0].T + biases[0] for word in source]
    keys = [word @ weights[1].T + biases[1] for word in target]
    values = [word @ weights[2].T + biases[2] for word in target]
    rows = [*target]
    for query in asked:
        heads = []
        for head in (slice(0, 4), slice(4, 8)):
            powers = [torch.exp(query[head] @ key[head] / math.sqrt(4)) for key in keys]
            heads.append(
                sum(p / sum(powers) * value[head] for p, value in zip(powers, values, strict=True))
            )
        out = block.attention.out_proj
        rows.append(torch.cat(heads) @ out.weight.T + out.bias)
    mean = sum(rows) / len(rows)
    return mean / mean.norm()


def test_values_and_gradients_against_loops() -> None:
    block, source, target = built(), texts(LENGTHS[0], 1), texts(LENGTHS[1], 2)
    found = block(source, target)
    expected = torch.stack(
        [
            naive(block, s[:m], t[:n])
            for s, t, m, n in zip(source.tokens, target.tokens, *LENGTHS, strict=True)
        ]
    )
    torch.testing.assert_close(found, expected)
    weights = torch.randn(3, 8, generator=torch.Generator().manual_seed(3)).double()
    both = (
        torch.autograd.grad((each * weights).sum(), list(block.parameters()))
        for each in (found, expected)
    )
    for one, other in zip(*both, strict=True):
        torch.testing.assert_close(one, other)


def test_padding_takes_part_in_nothing() -> None:
    block, source, target = built(), texts(LENGTHS[0], 1), texts(LENGTHS[1], 2)
    before = block(source, target)
    source.tokens[~source.mask], target.tokens[~target.mask] = 50.0, -9.0
    torch.testing.assert_close(block(source, target), before)


def test_without_words_there_is_nothing_to_filter() -> None:
    with pytest.raises(ValueError, match="tokens"):
        built()(Features(torch.zeros(3, 8)), texts([1, 1, 1], 0))


def test_heads_must_divide_the_dimension() -> None:
    with pytest.raises(ValueError, match="heads"):
        NoiseFilter(dimension=8, heads=3)
