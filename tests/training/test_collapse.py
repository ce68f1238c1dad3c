"""The guard over runs that collapse, that learn, and that scatter while they do."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from polyglance.training.collapse import CollapseGuard

PLATEAU = 51.2  # 2·B·α with 128 pairs and a margin of .2
STEPS = range(0, 500, 10)

MAXIMUM_OF_HINGES = {
    0: 68.0, 50: 54.38, 100: 52.15, 150: 51.86, 200: 51.82, 250: 51.39, 300: 51.31, 350: 51.22,
    400: 51.11, 450: 51.16, 500: 51.1,
}  # fmt: skip
"""The losses of a run in docs/results/paper-2.md whose rsum stayed at chance."""


def collapsed(step: int) -> float:
    """That run, straight from one logged loss to the next."""
    before = step // 50 * 50
    start, end = MAXIMUM_OF_HINGES[before], MAXIMUM_OF_HINGES[before + 50]
    return start + (end - start) * (step - before) / 50


def warned(run: Callable[[int], float], *, scatter: float = 0.0, seed: int = 0) -> list[int]:
    """Steps at which a guard warns that looks at every tenth."""
    guard, noise = CollapseGuard(), random.Random(seed)
    return [
        step
        for step in STEPS
        if guard.warning(run(step) * (1 + noise.gauss(0, scatter)), PLATEAU, steps=10) is not None
    ]


@pytest.mark.parametrize("scatter", [0.0, 0.0065, 0.01])
def test_a_plateau_is_seen_through_the_scatter_of_batches(scatter: float) -> None:
    found = [warned(collapsed, scatter=scatter, seed=seed) for seed in range(50)]
    once = [steps for steps in found if len(steps) == 1]
    assert len(once) >= 48
    assert all(300 <= steps[0] <= 490 for steps in once)


@pytest.mark.parametrize(
    ("start", "share"), [(1.0, 0.01), (1.0, 0.02), (1.0, 0.1), (1.2, 0.05), (1.2, 0.1)]
)
def test_a_run_that_learns_slowly_is_left_alone(start: float, share: float) -> None:
    """From the plateau or down through it, by a share of it in a hundred steps."""

    def learning(step: int) -> float:
        return PLATEAU * (start - share * step / 100)

    found = [warned(learning, scatter=0.0065, seed=seed) for seed in range(50)]
    assert sum(map(bool, found)) <= 1


def test_patience_begins_anew_where_the_mean_leaves_the_plateau() -> None:
    guard = CollapseGuard(patience=20, memory=1)
    looks = [5.0] * 15 + [4.0] + [5.02] * 40
    found = [n for n, loss in enumerate(looks) if guard.warning(loss, 5.0) is not None]
    share = 1 - math.exp(-1)
    mean = 1 + share * (4 / 5 - 1)
    away = 0
    while mean < 0.9925:  # as long as the one low loss weighs
        mean, away = mean + share * (5.02 / 5 - mean), away + 1
    assert found == [15 + away + 19]


def test_one_batch_far_off_is_no_break() -> None:
    guard = CollapseGuard()
    looks = [1.0] * 10 + [1.08] + [1.0] * 10
    assert sum(guard.warning(loss, 1.0, steps=10) is not None for loss in looks) == 1


def test_losses_without_a_plateau_are_not_watched() -> None:
    guard = CollapseGuard(patience=1)
    assert guard.warning(5.0, None) is None
    assert guard.warning(5.0, 5.0) is not None
    assert guard.warning(5.0, None) is None
    assert (guard.steps, guard.mean) == (0, None)


def test_a_guard_goes_on_where_it_was() -> None:
    whole = warned(collapsed, scatter=0.0065)
    noise, first, second = random.Random(0), CollapseGuard(), CollapseGuard()
    found = []
    for step in STEPS:
        if step == 250:  # what a checkpoint keeps
            second.steps, second.mean = first.steps, first.mean
        guard = first if step < 250 else second
        loss = collapsed(step) * (1 + noise.gauss(0, 0.0065))
        if guard.warning(loss, PLATEAU, steps=10) is not None:
            found.append(step)
    assert found == whole
