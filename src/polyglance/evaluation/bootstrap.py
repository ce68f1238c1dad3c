"""Bootstrap intervals that respect what belongs together.

The captions of one picture succeed and fail together, so captions are not independent draws:
resampling them singly makes intervals too narrow. Pictures are resampled instead, each with all
its captions in all languages (the cluster bootstrap; Davison and Hinkley, *Bootstrap Methods and
their Application*, 1997, section 3.8). Only the queries are resampled; the gallery, and with it
every rank, stays as measured. One set of draws serves every language and direction, so sums and
means over them get their intervals from the same draws.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyglance.evaluation.metrics import MEANS, query_values
from polyglance.evaluation.ranks import Ranks

LEVEL = 0.95
_DRAWS_AT_ONCE = 64

Draws = NDArray[np.uint8]


class Interval(NamedTuple):
    """A percentile interval."""

    low: float
    high: float


def draw_pictures(pictures: int, *, draws: int, seed: int) -> Draws:
    """(draws, pictures): how often each picture is drawn, with replacement, in each draw."""
    generator = np.random.default_rng(seed)
    weights = np.empty((draws, pictures), dtype=np.uint8)  # being drawn 256 times is out of reach
    for row in weights:
        row[:] = np.bincount(generator.integers(pictures, size=pictures), minlength=pictures)
    return weights


def metric_draws(
    ranks: Ranks, pictures: NDArray[np.int64], weights: Draws
) -> dict[str, NDArray[np.floating]]:
    """Every metric, once a draw.

    Args:
        ranks: of the queries.
        pictures: (queries,) index of the picture that each query belongs to.
        weights: (draws, pictures) from :func:`draw_pictures`.

    Returns:
        Metric name → (draws,); NaN in a draw that has none of the queries.
    """
    columns = np.hstack([query_values(ranks), np.ones((len(pictures), 1))])
    totals = np.zeros((weights.shape[1], columns.shape[1]))  # (pictures, metrics + 1)
    np.add.at(totals, pictures, columns)
    order = np.argsort(ranks.best, kind="stable")
    sorted_ranks, sorted_pictures = ranks.best[order], pictures[order]
    means, medians = np.empty((len(weights), len(MEANS))), np.empty(len(weights))
    for start in range(0, len(weights), _DRAWS_AT_ONCE):
        some = slice(start, start + _DRAWS_AT_ONCE)
        sums = weights[some].astype(np.float64) @ totals  # (draws, metrics + 1)
        with np.errstate(invalid="ignore"):
            means[some] = sums[:, :-1] / sums[:, -1:]
        medians[some] = _medians(sorted_ranks, weights[some][:, sorted_pictures])
    return {**dict(zip(MEANS, means.T, strict=True)), "MedR": medians}


def interval(draws: NDArray[np.floating]) -> Interval:
    """The central 95 % of the draws."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(draws, [tail, 100 - tail])
    return Interval(float(low), float(high))


def _medians(ranks: NDArray[np.int64], times: Draws) -> NDArray[np.floating]:
    """(queries,) ascending ranks, (draws, queries) times each is drawn → (draws,) medians."""
    reached = np.cumsum(times, axis=1, dtype=np.int64)  # (draws, queries)
    count = reached[:, -1:]  # (draws, 1)
    lower = (reached > (count - 1) // 2).argmax(axis=1)  # (draws,)
    upper = (reached > count // 2).argmax(axis=1)
    # Rounded down, as the metric is.
    return np.where(count[:, 0] > 0, (ranks[lower] + ranks[upper]) // 2, np.nan)
