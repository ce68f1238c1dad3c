"""Sinkhorn against loops over scalings, against exact assignments, and what the loss promises."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch import Tensor

from polyglance.losses.optimal_transport import TransportLoss, sinkhorn


def words(seed: int = 0, *, pairs: int = 3, double: bool = True) -> tuple[Tensor, ...]:
    """Texts of 5, 3, 1 words and translations of 4, 4, 2, padded with what must not be seen."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(pairs, 5, 6, generator=generator)
    second = torch.randn(pairs, 4, 6, generator=generator)
    first_mask = torch.arange(5) < torch.tensor([5, 3, 1])[:pairs, None]
    second_mask = torch.arange(4) < torch.tensor([4, 4, 2])[:pairs, None]
    first, second = (each.double() if double else each for each in (first, second))
    return first, second, first_mask, second_mask


def naive_plan(cost: list[list[float]], epsilon: float, iterations: int) -> Tensor:
    """Cuturi's algorithm 1 on one unpadded pair: scale the rows, scale the columns."""
    kernel = (-torch.tensor(cost, dtype=torch.float64) / epsilon).exp()
    a, b = kernel.shape
    u, v = torch.ones(a).double(), torch.ones(b).double()
    for _ in range(iterations):
        for i in range(a):
            u[i] = (1 / a) / sum(kernel[i, j] * v[j] for j in range(b))
        for j in range(b):
            v[j] = (1 / b) / sum(kernel[i, j] * u[i] for i in range(a))
    return u[:, None] * kernel * v[None, :]


def naive_loss(first: Tensor, second: Tensor, epsilon: float, iterations: int) -> Tensor:
    """⟨T*, C⟩ of one pair, word by word."""
    cosines = [[(x @ y) / (x.norm() * y.norm()) for y in second.unbind()] for x in first.unbind()]
    plan = naive_plan(
        [[1 - float(c.detach()) for c in row] for row in cosines], epsilon, iterations
    )
    total = torch.zeros((), dtype=torch.float64)
    for i, row in enumerate(cosines):
        for j, cosine in enumerate(row):
            total = total + plan[i, j] * (1 - cosine)
    return total


@pytest.mark.parametrize(("epsilon", "iterations"), [(0.1, 20), (0.05, 3), (1.0, 1)])
def test_values_and_gradients_against_loops(epsilon: float, iterations: int) -> None:
    first, second, first_mask, second_mask = words()
    first, second = first.requires_grad_(), second.requires_grad_()
    loss = TransportLoss(epsilon=epsilon, iterations=iterations)
    found = loss(first, second, first_mask, second_mask)
    each = [
        naive_loss(x[m], y[n], epsilon, iterations)
        for x, y, m, n in zip(first, second, first_mask, second_mask, strict=True)
    ]
    expected = torch.stack(each).mean()
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        torch.autograd.grad(found, [first, second]),
        torch.autograd.grad(expected, [first, second]),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_for_small_epsilon_it_is_the_exact_assignment() -> None:
    cost = torch.rand(6, 4, 4, generator=torch.Generator().manual_seed(9)).double()
    every = torch.ones(6, 4).bool()
    plan = sinkhorn(cost, every, every, epsilon=0.002, iterations=3000)
    for one, transported in zip(cost, plan, strict=True):
        best = min(permutations(range(4)), key=lambda p: sum(one[i, p[i]] for i in range(4)))
        expected = torch.zeros(4, 4).double()
        expected[range(4), best] = 0.25
        torch.testing.assert_close(transported, expected, atol=2e-3, rtol=0)


def test_marginals_are_uniform_over_what_is_there() -> None:
    first, second, row_mask, column_mask = words()
    plan = sinkhorn(torch.cdist(first, second), row_mask, column_mask, epsilon=0.5, iterations=200)
    rows, columns = row_mask.double(), column_mask.double()
    torch.testing.assert_close(plan.sum(2), rows / rows.sum(1, keepdim=True))
    torch.testing.assert_close(plan.sum(1), columns / columns.sum(1, keepdim=True))


def test_padding_takes_part_in_nothing() -> None:
    first, second, first_mask, second_mask = words()
    loss = TransportLoss()
    before = loss(first, second, first_mask, second_mask)
    first[~first_mask], second[~second_mask] = 1e4, -3.0
    assert torch.equal(loss(first, second, first_mask, second_mask), before)
    wider = (
        torch.nn.functional.pad(first, (0, 0, 0, 3)),
        torch.nn.functional.pad(first_mask, (0, 3)),
    )
    torch.testing.assert_close(loss(wider[0], second, wider[1], second_mask), before)


def test_a_text_transported_to_itself_in_another_order_costs_nearly_nothing() -> None:
    text = torch.eye(6)[None]
    every = torch.ones(1, 6).bool()
    shuffled = text[:, torch.tensor([3, 1, 5, 0, 2, 4])]
    assert TransportLoss(epsilon=0.05)(text, shuffled, every, every) < 1e-6
    assert TransportLoss()(text, -text, every, every) > 0.9


def test_costs_far_beyond_epsilon_stay_finite() -> None:
    cost = torch.tensor([[[0.0, 2.0], [2.0, 0.0]]])
    every = torch.ones(1, 2).bool()
    plan = sinkhorn(cost, every, every, epsilon=1e-3, iterations=5)
    torch.testing.assert_close(plan, torch.eye(2)[None] / 2)


def test_an_empty_side_costs_nothing_and_hurts_nobody() -> None:
    first, second, first_mask, second_mask = words(double=False)
    alone = TransportLoss()(first[:2], second[:2], first_mask[:2], second_mask[:2])
    first_mask[2] = False
    first.requires_grad_()
    found = TransportLoss()(first, second, first_mask, second_mask)
    torch.testing.assert_close(found, alone * 2 / 3)
    found.backward()
    assert torch.isfinite(first.grad).all()


def test_half_precision_is_computed_in_float32() -> None:
    first, second, first_mask, second_mask = words(double=False)
    given = first.bfloat16(), second.bfloat16()
    expected = TransportLoss()(given[0].float(), given[1].float(), first_mask, second_mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = TransportLoss()(*given, first_mask, second_mask)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


def test_following_the_gradient_aligns_words_that_nobody_paired() -> None:
    generator = torch.Generator().manual_seed(4)
    text = torch.nn.functional.normalize(torch.randn(1, 4, 8, generator=generator), dim=-1)
    moved = (
        text[:, [2, 0, 3, 1]] + 0.4 * torch.randn(1, 4, 8, generator=generator)
    ).requires_grad_()
    every, loss = torch.ones(1, 4).bool(), TransportLoss(epsilon=0.05)
    optimizer = torch.optim.SGD([moved], lr=1.0)
    before = float(loss(text, moved, every, every))
    for _ in range(100):
        optimizer.zero_grad()
        loss(text, moved, every, every).backward()
        optimizer.step()
    assert float(loss(text, moved, every, every)) < 0.2 * before
    cosines = torch.nn.functional.normalize(moved.detach(), dim=-1)[0] @ text[0].T
    assert cosines.argmax(1).tolist() == [2, 0, 3, 1]


@pytest.mark.parametrize("wrong", [{"epsilon": 0.0}, {"iterations": 0}])
def test_impossible_numbers_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TransportLoss(**wrong)  # type: ignore[arg-type]
