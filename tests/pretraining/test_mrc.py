"""Masked region classification, against the divergence summed class by class."""

from __future__ import annotations

import torch
from torch import Tensor

from polyglance.pretraining.mrc import MaskedRegionClassification

N, REGIONS, WIDTH, CLASSES = 2, 4, 6, 5


def parts() -> tuple[MaskedRegionClassification, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    labels = torch.randn(N, REGIONS, CLASSES).softmax(-1)
    labels[0, 0, :] = torch.tensor([1.0, 0, 0, 0, 0])  # a class that is certain
    labels[0, 1] *= 0.85  # sums to less than .9
    labels[0, 2] *= 1.05  # sums to nearly 1
    labels[1, 3] = 0  # padding
    chosen = torch.tensor([[1, 1, 1, 0], [0, 1, 0, 1]]).bool()
    states = torch.randn(N, REGIONS, WIDTH, requires_grad=True)
    return MaskedRegionClassification(width=WIDTH, classes=CLASSES), states, labels, chosen


def naive(task: MaskedRegionClassification, states: Tensor, labels: Tensor) -> Tensor:
    losses = []
    for row, region in ((0, 0), (0, 2), (1, 1)):  # chosen, and of probabilities that sum to 1
        logits = task.head(states[row, region])
        log_q = logits - logits.exp().sum().log()
        terms = [
            p * (p.log() - log_q[c]) for c, p in enumerate(labels[row, region]) if p > 0
        ]  # 0 log 0 is 0
        losses.append(torch.stack(terms).sum())
    return torch.stack(losses).mean()


def test_divergence_equals_the_formula() -> None:
    task, states, labels, chosen = parts()
    learned = [states, *task.parameters()]
    one, other = task(states, labels, chosen), naive(task, states, labels)
    torch.testing.assert_close(one, other)
    for found, expected in zip(
        torch.autograd.grad(one, learned), torch.autograd.grad(other, learned), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_labels_in_half_precision_give_float32() -> None:
    task, states, labels, chosen = parts()
    exact = task(states, labels, chosen)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = task(states, labels.half(), chosen)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, exact, rtol=0.05, atol=0.02)


def test_a_perfect_prediction_costs_nothing() -> None:
    task, states, _, chosen = parts()
    labels = task.head(states).softmax(-1).detach()
    torch.testing.assert_close(task(states, labels, chosen), torch.tensor(0.0), atol=1e-6, rtol=0)


def test_without_a_usable_label_there_is_nothing_to_learn() -> None:
    task, states, labels, chosen = parts()
    loss = task(states, labels, torch.zeros_like(chosen)) + task(states, 0 * labels, chosen)
    loss.backward()
    assert loss.item() == 0
    assert states.grad is not None
    assert not states.grad.any()
