from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from polyglance.vision.non_local import (
    AttentionBlock,
    NonLocal,
    NonLocalForm,
    ResidualBlock,
    attention,
    build_non_local,
)

CHANNELS = 16
MASK = torch.tensor([[True, True, True, True, True], [True, True, False, True, False]])


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def double(form: NonLocalForm) -> NonLocal:
    block = build_non_local(form, CHANNELS)
    assert block is not None
    for parameter in block.parameters():  # γ too: at 0 the residual form would hide the rest
        torch.nn.init.normal_(parameter, std=0.5)
    return block.double()


def regions() -> Tensor:
    return torch.randn(2, 5, CHANNELS, dtype=torch.float64, requires_grad=True)


def by_loop(block: NonLocal, picture: Tensor, seen: list[int]) -> Tensor:
    """One picture, region by region, of those that may be seen."""
    rows = []
    for i in range(len(picture)):
        query = block.query.weight @ picture[i] + block.query.bias
        keys = [block.key.weight @ picture[j] + block.key.bias for j in seen]
        values = [block.value.weight @ picture[j] + block.value.bias for j in seen]
        powers = [torch.exp((query * key).sum()) for key in keys]
        total = sum(powers)
        looked = sum(power / total * value for power, value in zip(powers, values, strict=True))
        if isinstance(block, ResidualBlock):
            rows.append(picture[i] + block.gamma * looked)
        elif block.activation:
            rows.append(torch.stack([max(x, 0 * x) + 0.1 * min(x, 0 * x) for x in looked]))
        else:
            rows.append(looked)
    return torch.stack(rows)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("form", ["paper", "residual", "linear", "without-reduction"])
def test_values_and_gradients_against_a_loop(form: NonLocalForm, masked: bool) -> None:
    block, inputs = double(form), regions()
    seen = [[0, 1, 2, 3, 4], [0, 1, 3] if masked else [0, 1, 2, 3, 4]]
    found = block(inputs, MASK if masked else None)
    expected = torch.stack([by_loop(block, inputs[n], seen[n]) for n in range(2)])
    assert found.shape == (2, 5, block.output_channels)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(found)
    wanted = [inputs, *block.parameters()]
    for ours, naive in zip(
        torch.autograd.grad((found * weights).sum(), wanted),
        torch.autograd.grad((expected * weights).sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(ours, naive)


def test_forms_differ_as_table_6_says() -> None:
    paper, linear = build_non_local("paper", CHANNELS), build_non_local("linear", CHANNELS)
    wide, residual = (
        build_non_local("without-reduction", CHANNELS),
        build_non_local("residual", CHANNELS),
    )
    assert isinstance(paper, AttentionBlock)
    assert isinstance(linear, AttentionBlock)
    assert isinstance(wide, AttentionBlock)
    assert isinstance(residual, ResidualBlock)
    assert paper.output_channels == linear.output_channels == 2
    assert wide.output_channels == residual.output_channels == CHANNELS
    assert residual.key.out_features == 2
    assert residual.value.out_features == CHANNELS
    linear.load_state_dict(paper.state_dict())
    inputs = regions().float()
    assert (linear(inputs) < 0).any()
    torch.testing.assert_close(paper(inputs), torch.nn.functional.leaky_relu(linear(inputs), 0.1))
    assert build_non_local("none", CHANNELS) is None


def test_the_residual_form_starts_as_the_identity_and_learns() -> None:
    block, inputs = ResidualBlock(channels=CHANNELS), regions().float()
    assert torch.equal(block(inputs), inputs)
    block(inputs).square().sum().backward()
    assert block.gamma.grad is not None
    assert block.gamma.grad != 0


def test_what_is_masked_is_not_looked_at() -> None:
    block, inputs = double("paper"), regions().detach()
    changed = inputs.clone()
    changed[1, 2] += 100
    changed[1, 4] = 0
    kept = MASK[1]
    torch.testing.assert_close(block(inputs, MASK)[1, kept], block(changed, MASK)[1, kept])
    assert not torch.allclose(block(inputs)[1, kept], block(changed)[1, kept])
    alone = block(inputs[1:, kept])
    torch.testing.assert_close(block(inputs, MASK)[1:, kept], alone)


def test_a_picture_of_padding_alone_gives_numbers() -> None:
    inputs = torch.zeros(1, 3, CHANNELS)
    assert double("paper").float()(inputs, torch.zeros(1, 3, dtype=torch.bool)).isfinite().all()


def test_attention_stays_in_float32_under_autocast() -> None:
    queries = torch.full((1, 1, 64), 1.0)
    keys = torch.ones(1, 2, 64)
    keys[0, 1, 0] = 1.25  # 64.25 and 64 are the same in bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        weights = attention(queries, keys, None)
    assert weights.dtype == torch.float32
    assert float(weights[0, 0, 1]) == pytest.approx(1 / (1 + math.exp(-0.25)))


def test_too_few_channels_to_reduce() -> None:
    with pytest.raises(ValueError, match="4 channels cannot be reduced 8-fold"):
        build_non_local("paper", 4)
