"""The shared layer and its loss, against the formula one token at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from polyglance.pretraining.prediction import WordPrediction
from polyglance.single_stream.word_table import WordTable, new_word_table

N, LENGTH, WIDTH, WORDS = 3, 4, 8, 11
TARGETS = torch.tensor([[-100, 3, -100, 0], [10, -100, -100, 3], [-100, -100, -100, -100]])


def parts(dimension: int | None) -> tuple[WordPrediction, WordTable, Tensor]:
    torch.manual_seed(0)
    words = new_word_table(vocabulary_size=WORDS, width=WIDTH, dimension=dimension)
    prediction = WordPrediction(width=WIDTH, vocabulary_size=WORDS)
    nn.init.normal_(prediction.bias)
    return prediction, words, torch.randn(N, LENGTH, WIDTH, requires_grad=True)


def naive(prediction: WordPrediction, words: WordTable, states: Tensor) -> Tensor:
    linear, _, norm = prediction.transform
    losses = []
    for row in range(N):
        for place in range(LENGTH):
            if TARGETS[row, place] == -100:
                continue
            x = linear.weight @ states[row, place] + linear.bias
            x = x * 0.5 * (1 + torch.erf(x / 2**0.5))  # GELU
            x = (x - x.mean()) / (x.var(unbiased=False) + norm.eps).sqrt()
            x = x * norm.weight + norm.bias
            table = words(torch.arange(WORDS))  # in the transformer's width
            logits = torch.stack([table[w] @ x + prediction.bias[w] for w in range(WORDS)])
            losses.append(logits.exp().sum().log() - logits[TARGETS[row, place]])
    return torch.stack(losses).mean()


@pytest.mark.parametrize("dimension", [None, 5])
def test_loss_equals_the_formula(dimension: int | None) -> None:
    prediction, words, states = parts(dimension)
    learned = [states, *prediction.parameters(), *words.parameters()]
    one, other = prediction.loss(states, TARGETS, words), naive(prediction, words, states)
    torch.testing.assert_close(one, other)
    for found, expected in zip(
        torch.autograd.grad(one, learned), torch.autograd.grad(other, learned), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_nothing_to_predict_is_nothing_to_learn() -> None:
    prediction, words, states = parts(None)
    loss = prediction.loss(states, torch.full((N, LENGTH), -100), words)
    loss.backward()
    assert loss.item() == 0
    assert states.grad is not None
    assert not states.grad.any()


def test_half_precision_ends_in_float32() -> None:
    prediction, words, states = parts(None)
    exact = prediction.loss(states, TARGETS, words)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = prediction.loss(states, TARGETS, words)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, exact, rtol=0.02, atol=0.02)


def test_the_table_is_not_stored_with_the_layer() -> None:
    prediction, _, _ = parts(None)
    assert sum(tensor.numel() for tensor in prediction.state_dict().values()) == (
        WIDTH * WIDTH + 3 * WIDTH + WORDS
    )
