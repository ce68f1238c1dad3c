"""Unit rows and their gradient."""

from __future__ import annotations

import torch
from torch.nn import functional

from polyglance.unit import unit_rows


def test_rows_and_gradients_are_those_of_torch() -> None:
    torch.manual_seed(0)
    ours = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    weights = torch.randn_like(ours)
    (unit_rows(ours) * weights).sum().backward()
    (functional.normalize(theirs, dim=-1) * weights).sum().backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.allclose(unit_rows(ours), functional.normalize(ours, dim=-1), atol=1e-15)
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-14)


def test_half_precision_is_widened_and_left_as_it_was() -> None:
    rows = torch.tensor([[3.0, 4.0]], dtype=torch.bfloat16, requires_grad=True)
    unit = unit_rows(rows)
    unit.backward(torch.tensor([[1.0, 0.0]]))
    assert unit.dtype == torch.float32
    assert torch.allclose(unit, torch.tensor([[0.6, 0.8]]))
    assert rows.detach().tolist() == [[3.0, 4.0]]
    assert rows.grad is not None
    assert rows.grad.dtype == torch.bfloat16
    assert torch.allclose(rows.grad.float(), torch.tensor([[0.128, -0.096]]), rtol=1e-2)


def test_a_row_of_zeros_stays_one() -> None:
    assert unit_rows(torch.zeros(2, 3)).tolist() == [[0.0] * 3] * 2
