"""Averages over folds and over languages, with their bootstrap draws beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyglance.evaluation.bootstrap import Draws, Interval, interval, metric_draws
from polyglance.evaluation.metrics import NAMES, RECALLS, Metrics, metrics, recall_curve
from polyglance.evaluation.ranks import Ranks
from polyglance.evaluation.results import CURVE, BothDirections, Direction


@dataclass(frozen=True, slots=True)
class Drawn:
    """A direction's numbers, and the same numbers in every bootstrap draw.

    Attributes:
        direction: the numbers, as yet without intervals.
        values: (metrics, draws) in the order of :data:`NAMES`.
    """

    direction: Direction
    values: NDArray[np.floating]


class DrawnBoth(NamedTuple):
    """Text to image, and image to text."""

    text_to_image: Drawn
    image_to_text: Drawn


def drawn(ranks: Ranks, pictures: NDArray[np.int64], weights: Draws) -> Drawn:
    """Measure one direction in one fold.

    Args:
        ranks: of its queries.
        pictures: (queries,) index within the fold of the picture that each query belongs to.
        weights: (draws, pictures of the fold).
    """
    direction = Direction(
        metrics=metrics(ranks),
        queries=len(ranks.queries),
        gallery=ranks.gallery,
        curve=tuple(recall_curve(ranks, CURVE)),
    )
    values = metric_draws(ranks, pictures, weights)
    return Drawn(direction, np.stack([values[name] for name in NAMES]))


def over_folds(parts: Sequence[Drawn]) -> Drawn:
    """Every fold counts the same; queries add up, galleries are averaged."""
    directions = [part.direction for part in parts]
    return Drawn(
        Direction(
            metrics=_mean_metrics(directions),
            queries=sum(direction.queries for direction in directions),
            gallery=float(np.mean([direction.gallery for direction in directions])),
            curve=_mean_curve(directions),
        ),
        np.mean([part.values for part in parts], axis=0),
    )


def over_languages(parts: Sequence[DrawnBoth]) -> DrawnBoth:
    """Every language counts the same."""
    return DrawnBoth(
        _mean_drawn([part.text_to_image for part in parts]),
        _mean_drawn([part.image_to_text for part in parts]),
    )


def with_intervals(both: DrawnBoth) -> BothDirections:
    """What the report keeps of it: numbers and intervals, not the draws."""
    forward, backward = both
    recalls = [NAMES.index(name) for name in RECALLS]
    sums = forward.values[recalls].sum(axis=0) + backward.values[recalls].sum(axis=0)  # (draws,)
    return BothDirections(
        _with_intervals(forward), _with_intervals(backward), interval(sums) if len(sums) else None
    )


def _with_intervals(part: Drawn) -> Direction:
    found = part.direction
    pairs: dict[str, Interval] = {}
    if part.values.shape[1]:
        pairs = {name: interval(draws) for name, draws in zip(NAMES, part.values, strict=True)}
    return Direction(found.metrics, pairs, found.queries, found.gallery, found.curve)


def _mean_drawn(parts: Sequence[Drawn]) -> Drawn:
    directions = [part.direction for part in parts]
    mean = Direction(_mean_metrics(directions), curve=_mean_curve(directions))
    return Drawn(mean, np.mean([part.values for part in parts], axis=0))


def _mean_metrics(directions: Sequence[Direction]) -> Metrics:
    shapes = [direction.metrics.as_dict() for direction in directions]
    return Metrics.from_dict({name: float(np.mean([s[name] for s in shapes])) for name in NAMES})


def _mean_curve(directions: Sequence[Direction]) -> tuple[float, ...]:
    return tuple(np.mean([direction.curve for direction in directions], axis=0).tolist())
