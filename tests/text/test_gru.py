"""The GRU against torch's own over packed sequences, values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from polyglance.text.gru import GRU


def texts(
    seed: int = 0, *, count: int = 6, width: int = 9, distinct: int = 12
) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(distinct, 5, generator=generator, dtype=torch.float64)
    index = torch.randint(0, distinct, (count, width), generator=generator)
    lengths = torch.randint(1, width + 1, (count,), generator=generator)
    lengths[2] = width
    return table, index, lengths


def reference(gru: GRU) -> nn.GRU:
    other = nn.GRU(
        gru.input_size, gru.hidden_size, batch_first=True, bidirectional=gru.directions == 2
    ).double()
    for direction, suffix in enumerate(["", "_reverse"][: gru.directions]):
        for ours, theirs in {
            "weight_input": "weight_ih_l0",
            "weight_hidden": "weight_hh_l0",
            "bias_input": "bias_ih_l0",
            "bias_hidden": "bias_hh_l0",
        }.items():
            getattr(other, theirs + suffix).data = getattr(gru, ours)[direction].data.clone()
    return other


@pytest.mark.parametrize("bidirectional", [False, True])
def test_states_and_gradients_are_those_of_torch(bidirectional: bool) -> None:
    table, index, lengths = texts()
    gru = GRU(input_size=5, hidden_size=4, bidirectional=bidirectional).double()
    other = reference(gru)
    ours, theirs = table.clone().requires_grad_(), table.clone().requires_grad_()
    states, last = gru(ours, index, lengths)
    packed = pack_padded_sequence(theirs[index], lengths, batch_first=True, enforce_sorted=False)
    packed_states, wanted_last = other(packed)
    wanted, _ = pad_packed_sequence(packed_states, batch_first=True)
    wanted = wanted.unflatten(2, (-1, 4)).mean(dim=2)  # (texts, words, hidden)
    assert torch.allclose(states, wanted, atol=1e-12)
    assert torch.allclose(last, wanted_last, atol=1e-12)
    assert torch.equal(gru.last(table, index, lengths), last)

    weights = torch.randn_like(states)
    (states * weights).sum().add(last.pow(2).sum()).backward()
    (wanted * weights).sum().add(wanted_last.pow(2).sum()).backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-10)
    for direction, suffix in enumerate(["", "_reverse"][: gru.directions]):
        found = gru.weight_hidden.grad[direction]
        assert torch.allclose(found, getattr(other, "weight_hh_l0" + suffix).grad, atol=1e-10)
        found = gru.weight_input.grad[direction]
        assert torch.allclose(found, getattr(other, "weight_ih_l0" + suffix).grad, atol=1e-10)
        found = gru.bias_hidden.grad[direction]
        assert torch.allclose(found, getattr(other, "bias_hh_l0" + suffix).grad, atol=1e-10)
        found = gru.bias_input.grad[direction]
        assert torch.allclose(found, getattr(other, "bias_ih_l0" + suffix).grad, atol=1e-10)


def test_a_text_is_read_alike_in_any_batch_and_padding_is_never_read() -> None:
    table, index, lengths = texts()
    gru = GRU(input_size=5, hidden_size=4, bidirectional=True).double()
    _, together = gru(table, index, lengths)
    for row in range(len(index)):
        alone = index[row : row + 1, : lengths[row]]
        _, last = gru(table, alone, lengths[row : row + 1])
        assert torch.allclose(last[:, 0], together[:, row], atol=1e-14)
    padding = torch.arange(index.shape[1]) >= lengths[:, None]
    _, filled = gru(table, index.masked_fill(padding, 3), lengths)
    assert torch.equal(filled, together)


def test_bfloat16_stays_close_in_value_and_gradient() -> None:
    table, index, lengths = texts(count=32, width=15)
    table = table.float()
    gru = GRU(input_size=5, hidden_size=64, bidirectional=True)

    def gradient(*, rounded: bool) -> tuple[Tensor, Tensor]:
        gru.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=rounded):
            last = gru.last(table, index, lengths)
        last.pow(2).sum().backward()
        return last.detach(), gru.weight_hidden.grad.flatten()

    exact, rounded = gradient(rounded=False), gradient(rounded=True)
    assert rounded[0].dtype == torch.float32
    assert (exact[0] - rounded[0]).abs().max() < 0.02
    assert torch.cosine_similarity(exact[1], rounded[1], dim=0) > 0.999


@pytest.mark.parametrize("lengths", [[0, 2], [2, 4]])
def test_empty_and_overlong_texts_are_refused(lengths: list[int]) -> None:
    gru = GRU(input_size=5, hidden_size=4)
    with pytest.raises(ValueError, match="texts have"):
        gru(torch.randn(3, 5), torch.zeros(2, 3, dtype=torch.int64), torch.tensor(lengths))
