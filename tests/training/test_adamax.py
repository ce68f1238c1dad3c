"""Adamax in blocks against its equations one number at a time, and against torch's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from polyglance.training.adamax import BLOCK, Adamax


def test_the_equations() -> None:
    parameter = nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
    optimizer = Adamax([{"params": [parameter], "lr": 0.1}])
    theta, m, u = parameter.tolist(), [0.0] * 3, [0.0] * 3
    generator = torch.Generator().manual_seed(0)
    for t in range(1, 6):
        gradient = torch.randn(3, dtype=torch.float64, generator=generator)
        gradient[2] = 0.0  # ε alone keeps this one from 0/0
        parameter.grad = gradient
        optimizer.step()
        for i, g in enumerate(gradient.tolist()):
            m[i] = 0.9 * m[i] + 0.1 * g
            u[i] = max(0.999 * u[i], abs(g) + 1e-8)
            theta[i] -= 0.1 / (1 - 0.9**t) * m[i] / u[i]
        assert parameter.tolist() == pytest.approx(theta, rel=1e-12)


@pytest.mark.parametrize("shape", [(), (1,), (BLOCK,), (3, BLOCK + 1)])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_every_block_moves_as_in_torch(shape: tuple[int, ...], decay: float) -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(shape, generator=generator)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    mine = Adamax([{"params": [ours], "lr": 0.01, "weight_decay": decay}])
    reference = torch.optim.Adamax([theirs], lr=0.01, weight_decay=decay)
    for _ in range(3):
        gradient = torch.randn(shape, generator=generator)
        ours.grad, theirs.grad = gradient.clone(), gradient
        mine.step()
        reference.step()
        assert torch.equal(ours.grad, gradient)  # which belongs to whoever made it
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("transposed", [False, True])
def test_any_order_in_memory_and_parameters_without_gradient(transposed: bool) -> None:
    start = torch.ones(3, 2).T if transposed else torch.ones(2, 3)
    ours, idle = nn.Parameter(start), nn.Parameter(torch.ones(2))
    ours.grad = torch.arange(6.0).view(3, 2).T
    Adamax([{"params": [ours, idle], "lr": 0.01}]).step()
    assert ours.detach().flatten().tolist() == pytest.approx([1, *[0.99] * 5])
    assert torch.equal(idle, torch.ones(2))


def test_the_closure_is_asked_for_its_loss() -> None:
    parameter = nn.Parameter(torch.ones(1))
    optimizer = Adamax([{"params": [parameter], "lr": 0.5}])

    def closure() -> float:
        loss = parameter.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 1.0
    assert parameter.item() == pytest.approx(0.5)
