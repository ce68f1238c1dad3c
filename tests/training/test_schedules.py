"""Learning rates at the steps where they change."""

from __future__ import annotations

import math

import pytest
from pydantic import TypeAdapter, ValidationError

from polyglance.training.schedules import Schedule, learning_rate_factor


def factors(steps: list[int], **table: object) -> list[float]:
    schedule = TypeAdapter[Schedule](Schedule).validate_python(table)
    return [
        learning_rate_factor(schedule, step=step, total_steps=100, steps_per_epoch=10)
        for step in steps
    ]


def test_constant() -> None:
    assert factors([0, 50, 99], kind="constant") == [1, 1, 1]


def test_paper_five_halves_after_epochs_one_four_and_ten() -> None:
    table = {"kind": "steps", "after_epochs": [1, 4, 10], "factor": 0.5}
    assert factors([0, 9, 10, 39, 40, 99, 100, 200], **table) == [
        *[1, 1, 0.5, 0.5],
        *[0.25, 0.25, 0.125, 0.125],
    ]


def test_the_schedule_of_liwes_code() -> None:
    """From half of 1e-3 up to its double over 4,000 steps, then quartered five times."""
    table = {
        "kind": "steps",
        "after_steps": [*range(10_000, 20_000, 2000)],
        "factor": 0.25,
        "warmup_steps": 4000,
        "warmup_start": 0.25,
    }
    rates = [2e-3 * factor for factor in factors([0, 1999, 3999, 9999, 10_000, 18_000], **table)]
    expected = [0.5e-3, 1.25e-3, 2e-3, 2e-3, 0.5e-3, 2e-3 / 4**5]
    assert rates == pytest.approx(expected, rel=1e-3)


def test_linear_reaches_its_end() -> None:
    assert factors([0, 50, 100], kind="linear", final=0.2) == pytest.approx([1, 0.6, 0.2])


def test_cosine() -> None:
    expected = [(1 + math.cos(math.pi * t)) / 2 for t in (0, 0.25, 0.5, 1)]
    assert factors([0, 25, 50, 100], kind="cosine") == pytest.approx(expected)


def test_warmup_climbs_to_one_and_is_not_counted_as_decay() -> None:
    table = {"kind": "linear", "warmup_steps": 4, "warmup_start": 0.2}
    assert factors([0, 1, 3, 4, 52, 100], **table) == pytest.approx([0.4, 0.6, 1, 1, 0.5, 0])


@pytest.mark.parametrize(
    "table",
    [
        {"kind": "cosin"},
        {"kind": "constant", "warmup": 3},
        {"kind": "steps"},
        {"kind": "steps", "after_epochs": [1], "after_steps": [1]},
    ],
)
def test_what_is_no_schedule(table: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        factors([0], **table)
