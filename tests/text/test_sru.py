"""The SRU against its equations word by word, values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from polyglance.text.sru import SRU


def texts() -> tuple[Tensor, Tensor, Tensor]:
    """(distinct words, 5), (texts, words) and (texts,)."""
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(12, 5, generator=generator, dtype=torch.float64)
    index = torch.randint(0, 12, (6, 9), generator=generator)
    return table, index, torch.tensor([3, 1, 9, 4, 4, 7])


def sru(**changes: object) -> SRU:
    torch.manual_seed(0)
    arguments: dict[str, object] = {"input_size": 5, "hidden_size": 4, "layers": 3}
    unit = SRU(**(arguments | changes)).double()
    for layer in unit.layers:
        torch.nn.init.normal_(layer.bias)  # zero in the beginning, so that none would be missed
    return unit


def naive(unit: SRU, words: list[Tensor]) -> list[Tensor]:
    """Equations of the class, one text, one word, one layer after another."""
    hidden = unit.hidden_size
    for layer in unit.layers:
        w, w_f, w_r = (
            layer.weight[:hidden],
            layer.weight[hidden : 2 * hidden],
            layer.weight[-hidden:],
        )
        b_f, b_r = layer.bias[:hidden], layer.bias[hidden:]
        state, outputs = torch.zeros(hidden, dtype=torch.float64), []
        for x in words:
            forget, reset = torch.sigmoid(w_f @ x + b_f), torch.sigmoid(w_r @ x + b_r)
            state = forget * state + (1 - forget) * (w @ x)
            highway = layer.scale * x if layer.projection is None else layer.projection @ x
            outputs.append(reset * torch.tanh(state) + (1 - reset) * highway)
        words = outputs
    return words


@pytest.mark.parametrize("hidden", [4, 5])  # with a projection, and with x itself as the highway
@pytest.mark.parametrize("rescale", [False, True])
def test_states_and_gradients_are_those_of_the_equations(hidden: int, rescale: bool) -> None:
    table, index, lengths = texts()
    ours, theirs = sru(hidden_size=hidden, rescale=rescale), sru(hidden_size=hidden)
    assert (ours.layers[0].projection is None) == (hidden == 5)
    for layer in theirs.layers:
        layer.scale = 3**0.5 if rescale else 1.0
    own_table, their_table = table.clone().requires_grad_(), table.clone().requires_grad_()
    states, last = ours(own_table, index, lengths)
    wanted = torch.zeros_like(states)
    for row, length in enumerate(lengths.tolist()):
        words = [their_table[number] for number in index[row, :length]]
        wanted[row, :length] = torch.stack(naive(theirs, words))
    ends = wanted[torch.arange(6), lengths - 1]
    assert torch.allclose(states, wanted, atol=1e-12)
    assert torch.allclose(last, ends[None], atol=1e-12)
    assert torch.equal(ours.last(table, index, lengths), last)

    weights = torch.randn_like(states)
    (states * weights).sum().add(last.pow(2).sum()).backward()
    (wanted * weights).sum().add(ends.pow(2).sum()).backward()
    assert torch.allclose(own_table.grad, their_table.grad, atol=1e-10)
    for (name, found), right in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(found.grad, right.grad, atol=1e-10), name


def test_a_text_is_read_alike_in_any_batch_and_padding_is_never_read() -> None:
    table, index, lengths = texts()
    unit = sru()
    _, together = unit(table, index, lengths)
    for row in range(len(index)):
        alone = index[row : row + 1, : lengths[row]]
        _, last = unit(table, alone, lengths[row : row + 1])
        assert torch.allclose(last[:, 0], together[:, row], atol=1e-14)
    padding = torch.arange(index.shape[1]) >= lengths[:, None]
    _, filled = unit(table, index.masked_fill(padding, 3), lengths)
    assert torch.equal(filled, together)


def test_bfloat16_stays_close_in_value_and_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(12, 48, generator=generator)
    index = torch.randint(0, 12, (32, 15), generator=generator)
    lengths = torch.randint(1, 16, (32,), generator=generator)
    unit = sru(input_size=48, hidden_size=64).float()

    def gradient(*, rounded: bool) -> tuple[Tensor, Tensor]:
        unit.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=rounded):
            last = unit.last(table, index, lengths)
        last.pow(2).sum().backward()
        return last.detach(), torch.cat([p.grad.flatten() for p in unit.parameters()])

    exact, rounded = gradient(rounded=False), gradient(rounded=True)
    assert rounded[0].dtype == torch.float32
    assert (exact[0] - rounded[0]).abs().max() < 0.05
    assert torch.cosine_similarity(exact[1], rounded[1], dim=0) > 0.999


def test_dropout_stands_behind_every_layer_and_spares_or_takes_a_number_in_a_whole_text() -> None:
    table, index, lengths = texts()
    unit = sru(layers=1, dropout=0.5)
    dropped, _ = unit(table, index, lengths)
    whole, _ = unit.eval()(table, index, lengths)
    there = torch.arange(9) < lengths[:, None]  # (texts, words)
    ratio = (dropped / whole)[there].round(decimals=6)
    assert set(ratio.unique().tolist()) == {0.0, 2.0}
    for row, length in enumerate(lengths.tolist()):
        first = (dropped[row, 0] == 0).expand(length, -1)
        assert torch.equal(dropped[row, :length] == 0, first)
    assert len(torch.unique(dropped[:, 0] == 0, dim=0)) > 1  # texts differ
    deep = sru(dropout=0.5)
    lost = (deep(table, index, lengths)[0][there] == 0).double().mean()
    assert 0.2 < float(lost) < 0.8  # what the last layer hands on is dropped as well
    _, first = deep(table, index, lengths)
    _, second = deep(table, index, lengths)
    both = (first != 0) & (second != 0)
    assert not torch.allclose(first[both], second[both])  # and what earlier layers do


def test_weights_start_as_published() -> None:
    torch.manual_seed(0)
    unit = SRU(input_size=300, hidden_size=200)
    assert len(unit.layers) == 4
    for layer, size in zip(unit.layers, [300, 200, 200, 200], strict=True):
        assert layer.weight.shape == (600, size)
        assert float(layer.weight.detach().std()) == pytest.approx(size**-0.5, rel=0.02)
        assert not layer.bias.any()


def test_rescaled_layers_keep_the_size_of_what_they_read() -> None:
    torch.manual_seed(0)
    table = torch.randn(50, 64)
    index, lengths = torch.arange(50)[None], torch.tensor([50])
    sizes = {}
    for rescale in (False, True):
        torch.manual_seed(0)
        unit = SRU(input_size=64, hidden_size=64, layers=6, rescale=rescale)
        sizes[rescale] = float(unit(table, index, lengths)[0].detach().std())
    assert sizes[False] < 0.25
    assert 0.5 < sizes[True] < 2


def test_no_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="0 layers"):
        sru(layers=0)


@pytest.mark.parametrize("lengths", [[0, 2], [2, 4]])
def test_empty_and_overlong_texts_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="texts have"):
        sru()(torch.randn(3, 5), torch.zeros(2, 3, dtype=torch.int64), torch.tensor(lengths))
