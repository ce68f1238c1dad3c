"""Intervals over the seeds of a training run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

# 97.5 % points of Student's t for 1, 2, … degrees of freedom.
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half of its 95 % interval by Student's t, which is wide for few seeds.

    Args:
        values: one a seed, ten at most; for a difference of two settings, its value at each seed,
            since runs that share a seed share their batches.

    Returns:
        The half-interval is not a number where there is one seed only.
    """
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, math.nan
    return mean, STUDENT[len(values) - 2] * statistics.stdev(values) / math.sqrt(len(values))


def plus_minus(values: Sequence[float]) -> str:
    """The same in words of a table: ``12.3 ± 0.4``; the mean alone for one seed."""
    if not values:
        return "not run"
    mean, half = over_seeds(values)
    return f"{mean:.1f}" if math.isnan(half) else f"{mean:.1f} ± {half:.1f}"
