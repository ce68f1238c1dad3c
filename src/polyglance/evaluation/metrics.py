"""From ranks to the metrics of the field.

Recalls are in percent: R@K is the share of queries with a positive among the first K. MedR and
MeanR are the median and the mean rank of the best positive, from 1; the median of an even number
of ranks is rounded down, as in VSE++ (Faghri et al., BMVC 2018) and its successors. MRR is the
mean reciprocal rank of the best positive and nDCG@10 the normalised discounted cumulative gain
(Järvelin and Kekäläinen, TOIS 2002) with gain 1 a positive and discount log2(1 + rank), both
between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from polyglance.evaluation.ranks import Ranks

RECALLS = ("R@1", "R@5", "R@10")
NAMES = (*RECALLS, "MedR", "MeanR", "MRR", "nDCG@10")
CUTOFF = 10


@dataclass(frozen=True, slots=True)
class Metrics:
    """One direction of retrieval, as numbers.

    Attributes:
        recall_at_1: percent.
        recall_at_5: percent.
        recall_at_10: percent.
        median_rank: from 1.
        mean_rank: from 1.
        mean_reciprocal_rank: 0 to 1.
        ndcg_at_10: 0 to 1.
    """

    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    median_rank: float
    mean_rank: float
    mean_reciprocal_rank: float
    ndcg_at_10: float

    @property
    def recall_sum(self) -> float:
        """R@1 + R@5 + R@10, percent."""
        return self.recall_at_1 + self.recall_at_5 + self.recall_at_10

    def as_dict(self) -> dict[str, float]:
        """Keyed by the field's own names, :data:`NAMES`."""
        return {
            name: getattr(self, field.name) for name, field in zip(NAMES, fields(self), strict=True)
        }

    @classmethod
    def from_dict(cls, values: dict[str, float]) -> Metrics:
        """The inverse of :meth:`as_dict`; other keys are ignored."""
        return cls(*(float(values[name]) for name in NAMES))


def rsum(forward: Metrics, backward: Metrics) -> float:
    """Sum of the six recalls of both directions, percent (at most 600)."""
    return forward.recall_sum + backward.recall_sum


def metrics(ranks: Ranks) -> Metrics:
    """Average over the queries that have a positive.

    Raises:
        ValueError: there is no such query.
    """
    if not len(ranks.queries):
        raise ValueError("no query has a positive, so there is nothing to average")
    means = dict(zip(MEANS, query_values(ranks).mean(axis=0).tolist(), strict=True))
    means["MedR"] = float(np.floor(np.median(ranks.best)))
    return Metrics.from_dict(means)


# The metrics that are plain means over queries: all but the median.
MEANS = (*RECALLS, "MeanR", "MRR", "nDCG@10")


def query_values(ranks: Ranks) -> NDArray[np.floating]:
    """(queries, 6): what each query adds to the metrics named in :data:`MEANS`."""
    best = ranks.best.astype(np.float64)
    recalls = [100.0 * (best <= int(name[2:])) for name in RECALLS]
    return np.stack([*recalls, best, 1.0 / best, _ndcg(ranks.positives)], axis=1)


def recall_curve(ranks: Ranks, cutoffs: tuple[int, ...]) -> list[float]:
    """R@K in percent for each K of ``cutoffs``; beyond the gallery everything is found."""
    return [100.0 * float((ranks.best <= cutoff).mean()) for cutoff in cutoffs]


def _ndcg(positives: NDArray[np.int64]) -> NDArray[np.floating]:
    """(queries, most positives) ascending ranks, 0 for none → (queries,) nDCG@10."""
    gains = np.where(
        (positives >= 1) & (positives <= CUTOFF), 1.0 / np.log2(1.0 + positives.clip(1)), 0.0
    )
    ideal = np.cumsum(1.0 / np.log2(1.0 + np.arange(1, CUTOFF + 1)))  # by number of positives
    counts = (positives >= 1).sum(axis=1)  # (queries,)
    return np.asarray(gains.sum(axis=1) / ideal[np.minimum(counts, CUTOFF) - 1])
