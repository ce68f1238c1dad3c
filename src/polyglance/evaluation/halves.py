"""Two halves of an evaluation's pictures: what is chosen on one is measured on the other.

A number that is chosen on the very queries that are then reported flatters itself. Where no other
pictures are at hand, each half's number is chosen on the queries of the other half; the gallery
stays whole, so that recalls are those of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from polyglance.evaluation.metrics import metrics
from polyglance.evaluation.ranks import BothWays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyglance.evaluation.plan import Part
    from polyglance.evaluation.ranks import Ranks

Languages = Mapping[str, Sequence["Part"]]
Ranked = Mapping[str, Sequence[BothWays]]


def rsum_of_half(parts: Languages, ranked: Ranked, *, odd: bool) -> float:
    """Sum of the six recalls over the queries of one half.

    Averaged over folds and languages, those left out that have no query there.

    Args:
        parts: tag → folds.
        ranked: tag → of each fold, pictures as rows and texts as columns.
        odd: the pictures at odd places and their texts, or those at even ones.
    """
    languages = []
    for tag, folds in parts.items():
        found = [
            sum(metrics(ranks).recall_sum for ranks in halves)
            for part, both in zip(folds, ranked[tag], strict=True)
            if (halves := _half(part, both, odd=odd))
        ]
        if found:
            languages.append(float(np.mean(found)))
    return float(np.mean(languages)) if languages else 0.0


def joined(parts: Languages, even: Ranked, odd: Ranked) -> dict[str, list[BothWays]]:
    """The ranks of the even half's queries from one order, and of the odd half's from another."""
    return {
        tag: [
            BothWays(
                *(
                    replace(
                        one, positives=np.where(is_odd[:, None], other.positives, one.positives)
                    )
                    for is_odd, one, other in zip(_odd(part, first), first, second, strict=True)
                )
            )
            for part, first, second in zip(folds, even[tag], odd[tag], strict=True)
        ]
        for tag, folds in parts.items()
    }


def _odd(part: Part, both: BothWays) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(row queries,) and (column queries,): those of pictures at odd places."""
    rows, columns = part.pictures[both.rows.queries], part.own[both.columns.queries]
    return rows % 2 == 1, columns % 2 == 1


def _half(part: Part, both: BothWays, *, odd: bool) -> list[Ranks]:
    """Both directions, with the queries of one half; without a direction that has none."""
    return [
        replace(ranks, queries=ranks.queries[kept], positives=ranks.positives[kept])
        for ranks, is_odd in zip(both, _odd(part, both), strict=True)
        if (kept := is_odd == odd).any()
    ]
