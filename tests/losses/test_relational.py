"""Relational distillation against loops over rows and columns, and what it promises."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from polyglance.losses.relational import RelationalDistillation


def scores(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)).double() * 2 - 1


def shares(row: list[Tensor], temperature: float) -> list[Tensor]:
    exponentials = [torch.exp(value / temperature) for value in row]
    return [value / sum(exponentials) for value in exponentials]


def naive(teacher: Tensor, student: Tensor, own: float, its: float) -> Tensor:
    """KL row by row, entry by entry."""
    total = torch.zeros((), dtype=torch.float64)
    for wanted, found in zip(teacher, student, strict=True):
        p, q = shares([*wanted], its), shares([*found], own)
        for one, other in zip(p, q, strict=True):
            total = total + one * (torch.log(one) - torch.log(other))
    return total / len(teacher) / 2


@pytest.mark.parametrize("its", [None, 0.2])
@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (1, 1)])
def test_values_and_gradients_against_loops(shape: tuple[int, int], its: float | None) -> None:
    teacher, student = scores(*shape), scores(*shape, seed=1).requires_grad_()
    loss = RelationalDistillation(temperature=0.1, teacher_temperature=its)
    found = loss(teacher, student)
    expected = {
        "relations_of_rows": naive(teacher, student, 0.1, its or 0.1),
        "relations_of_columns": naive(teacher.T, student.T, 0.1, its or 0.1),
    }
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
        one, other = (
            torch.autograd.grad(each, student, retain_graph=True)[0]
            for each in (found[name], value)
        )
        torch.testing.assert_close(one, other)


def test_the_teacher_takes_no_gradient() -> None:
    teacher, student = scores(3, 3).requires_grad_(), scores(3, 3, seed=1).requires_grad_()
    sum(RelationalDistillation()(teacher, student).values()).backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


def test_agreement_is_zero_and_only_differences_within_a_distribution_count() -> None:
    teacher = scores(4, 4)
    for term in RelationalDistillation()(teacher, teacher + 0.3).values():
        assert abs(float(term)) < 1e-12


def test_gradients_are_those_of_the_cross_entropy() -> None:
    """NRCCR's form, which differs by the teacher's entropy."""
    teacher, student = scores(4, 4), scores(4, 4, seed=1).requires_grad_()
    terms = RelationalDistillation()(teacher, student)
    wanted, found = (each / 0.07 for each in (teacher, student))
    entropies = [
        torch.nn.functional.cross_entropy(rows, target.softmax(1)) / 2
        for rows, target in ((found, wanted), (found.T, wanted.T))
    ]
    for term, entropy in zip(terms.values(), entropies, strict=True):
        one, other = (
            torch.autograd.grad(each, student, retain_graph=True)[0] for each in (term, entropy)
        )
        torch.testing.assert_close(one, other)


def test_half_precision_is_computed_in_float32() -> None:
    teacher, student = scores(4, 4).bfloat16(), scores(4, 4, seed=1).bfloat16()
    found = RelationalDistillation()(teacher, student)
    expected = RelationalDistillation()(teacher.float(), student.float())
    for name, term in found.items():
        assert term.dtype == torch.float32
        torch.testing.assert_close(term, expected[name])


def test_a_cold_teacher_stays_finite() -> None:
    terms = RelationalDistillation(temperature=1e-3)(scores(4, 4).float(), scores(4, 4).float().T)
    assert all(math.isfinite(float(term)) for term in terms.values())


def test_other_shapes_and_temperatures_are_refused() -> None:
    with pytest.raises(ValueError, match="same rows and columns"):
        RelationalDistillation()(scores(3, 4), scores(4, 3))
    with pytest.raises(ValueError, match="temperature"):
        RelationalDistillation(temperature=0)
    with pytest.raises(ValueError, match="teacher_temperature"):
        RelationalDistillation(teacher_temperature=-1)
