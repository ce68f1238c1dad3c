"""The best items of every query by a first stage, and their ranks in the order of a second.

What is not on a query's shortlist stands behind it, in the order of the first stage: a positive
there keeps the rank that it had. So the second stage can find only what the first has found among
its best; that share of the queries, its recall at the length of the list, is the ceiling.

Ties are pessimistic in both stages, as in :mod:`polyglance.evaluation.ranks`: a negative that ties
with a positive stands ahead of it, on the list or in the last place that the list has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from polyglance.evaluation.ranks import BothWays, Ranks, positive_pairs, rank
from polyglance.evaluation.scores import ROUNDING, Scores, check_finite

if TYPE_CHECKING:
    from polyglance.evaluation.ranks import Ids

QUERIES_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Shortlist:
    """One direction.

    Attributes:
        ranks: of the first stage.
        items: (queries, top) the best of the gallery for each query of ``ranks``, best first.
        own: (queries, top) which of them are positives.
        first: (queries, top) their scores by the first stage.
    """

    ranks: Ranks
    items: Tensor
    own: Tensor
    first: Tensor

    @property
    def ceiling(self) -> float:
        """Share of the queries with a positive on their list, percent."""
        return 100 * float(self.own.any(dim=1).float().mean())

    def reranked(self, second: Tensor, *, weight: float) -> Ranks:
        """Ranks where each list is ordered by ``second`` + ``weight`` · ``first``.

        Args:
            second: (queries, top) scores of the items by the second stage.
            weight: of the first stage's scores.

        Raises:
            ValueError: a score is not finite.
        """
        scores = second + weight * self.first
        check_finite(scores)
        found = self.own.sum(dim=1, keepdim=True).numpy()  # (queries, 1) positives on the list
        top, most = scores.shape[1], self.ranks.positives.shape[1]
        positives = scores.masked_fill(~self.own, -torch.inf)
        best = positives.topk(min(most, top), dim=1).values  # (queries, positives)
        thresholds = best - ROUNDING * scores.abs().max()
        negatives = scores.masked_fill(self.own, -torch.inf)
        ahead = (negatives[:, None] >= thresholds[:, :, None]).sum(dim=2)  # (queries, positives)
        listed = np.zeros_like(self.ranks.positives)
        listed[:, : ahead.shape[1]] = ahead.numpy()
        places = np.arange(most)  # 0 is the best positive's
        # Whoever is not on the list has all of it ahead; rounding may have said otherwise.
        unlisted = np.maximum(self.ranks.positives, top + 1 + places - found)
        unlisted[self.ranks.positives == 0] = 0
        positions = np.where(places < found, listed + places + 1, unlisted)
        return Ranks(self.ranks.queries, positions, self.ranks.gallery)


@dataclass(frozen=True, slots=True)
class Shortlists:
    """Both directions.

    Attributes:
        rows: for each row the best columns.
        columns: for each column the best rows.
        shape: (rows, columns).
    """

    rows: Shortlist
    columns: Shortlist
    shape: tuple[int, int]

    @property
    def first(self) -> BothWays:
        """Ranks of the first stage."""
        return BothWays(self.rows.ranks, self.columns.ranks)

    @property
    def pairs(self) -> Tensor:
        """(pairs, 2) row and column of all that is on a list, each once, columns together."""
        keys = self._keys()
        return torch.stack([keys % self.shape[0], keys // self.shape[0]], dim=1)

    def reranked(self, scores: Tensor, *, weight: float = 0.0) -> BothWays:
        """Ranks where each list is ordered by the scores of a second stage.

        Args:
            scores: (pairs,) of :attr:`pairs`.
            weight: of the first stage's scores, which are added.

        Raises:
            ValueError: a score is not finite.
        """
        keys = self._keys()
        of_rows, of_columns = (
            scores[torch.searchsorted(keys, asked)] for asked in self._keys_of_lists()
        )
        return BothWays(
            self.rows.reranked(of_rows, weight=weight),
            self.columns.reranked(of_columns, weight=weight),
        )

    def _keys(self) -> Tensor:
        """(pairs,) one number for each pair, ascending."""
        listed = torch.cat([keys.flatten() for keys in self._keys_of_lists()])
        return torch.from_numpy(np.unique(listed.numpy()))

    def _keys_of_lists(self) -> tuple[Tensor, Tensor]:
        """(row queries, top) and (column queries, top)."""
        rows, columns = (
            torch.from_numpy(side.ranks.queries)[:, None] for side in (self.rows, self.columns)
        )
        return self.rows.items * self.shape[0] + rows, columns * self.shape[0] + self.columns.items


def shortlists(scores: Scores, *, row_ids: Ids, column_ids: Ids, top: int) -> Shortlists:
    """Rank both ways, and list the best of the gallery for every query that has a positive.

    Args:
        scores: of the first stage.
        row_ids: (rows,) identities; a row and a column with equal ids are positives.
        column_ids: (columns,).
        top: length of a list; shorter where the gallery is smaller.

    Raises:
        ValueError: as :func:`~polyglance.evaluation.ranks.rank`, or lists have no place.
    """
    if top < 1:
        raise ValueError(f"top is {top}; a shortlist holds at least one item")
    both = rank(scores, row_ids=row_ids, column_ids=column_ids)
    return Shortlists(
        rows=_shortlist(scores, both.rows, positive_pairs(row_ids, column_ids), top),
        columns=_shortlist(
            _Transposed(scores), both.columns, positive_pairs(column_ids, row_ids), top
        ),
        shape=scores.shape,
    )


def _shortlist(
    scores: Scores | _Transposed, ranks: Ranks, positives: tuple[Tensor, Tensor], top: int
) -> Shortlist:
    """Rows are queries; ``positives`` are their rows, ascending, and columns."""
    rows, columns = positives
    # Just below all negatives that tie with it.
    behind = scores.pairs(rows, columns) - scores.tolerance
    behind = torch.nextafter(behind, torch.tensor(-torch.inf))
    queries, gallery = scores.shape
    best = []
    for start in range(0, queries, QUERIES_AT_ONCE):
        some = slice(start, min(start + QUERIES_AT_ONCE, queries))
        block = scores.block(some, slice(0, gallery))
        first, last = torch.searchsorted(rows, torch.tensor([some.start, some.stop])).tolist()
        here = slice(first, last)
        block[rows[here] - start, columns[here]] = behind[here]
        best.append(block.topk(min(top, gallery), dim=1).indices)
    asked = torch.from_numpy(ranks.queries)
    items = torch.cat(best)[asked]  # (queries with a positive, top)
    asked = asked[:, None].expand_as(items)
    own = torch.isin(asked * gallery + items, rows * gallery + columns)
    first_scores = scores.pairs(asked.flatten(), items.flatten()).view(items.shape)
    return Shortlist(ranks, items, own, first_scores)


class _Transposed:
    """Scores of columns against rows."""

    def __init__(self, scores: Scores) -> None:
        self._scores = scores
        self.tolerance = scores.tolerance
        self.shape = scores.shape[::-1]

    def block(self, rows: slice, columns: slice) -> Tensor:
        """A view of the other's block, (rows, columns)."""
        return self._scores.block(columns, rows).T

    def pairs(self, rows: Tensor, columns: Tensor) -> Tensor:
        """(pairs,)."""
        return self._scores.pairs(columns, rows)
