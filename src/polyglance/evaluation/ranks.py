"""Ranks of the positives, counted in blocks and never sorted.

The rank of a positive is one plus the number of items ahead of it, so ranking a query needs
comparisons and no order: a block of scores is computed, compared in place with the scores of the
positives, and overwritten by the next. Both directions read the same block.

Ties are pessimistic: a negative that ties with a positive stands ahead of it. A collapsed model,
whose scores are all equal, therefore finds nothing, instead of whatever a sort happens to leave on
top. Positives never push one another back: the j-th best positive has j - 1 positives ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polyglance.evaluation.scores import EmbeddingScores, Scores, check_finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    Ids = Sequence[int] | Sequence[str] | NDArray[np.generic]

BLOCK_ROWS = 512
BLOCK_COLUMNS = 2048


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where the positives of every query stand.

    Attributes:
        queries: (queries,) indices of the queries that have a positive in the gallery; the others
            have no rank and are left out.
        positives: (queries, most positives) ranks from 1, ascending; 0 fills rows with fewer.
        gallery: number of items ranked.
    """

    queries: NDArray[np.int64]
    positives: NDArray[np.int64]
    gallery: int

    @property
    def best(self) -> NDArray[np.int64]:
        """(queries,) rank of the best positive of each query."""
        return self.positives[:, 0]


class BothWays(NamedTuple):
    """Ranks with rows as queries and columns as gallery, and the other way round."""

    rows: Ranks
    columns: Ranks


def rank_embeddings(
    rows: Tensor | NDArray[np.floating],
    columns: Tensor | NDArray[np.floating],
    *,
    row_ids: Ids,
    column_ids: Ids,
) -> BothWays:
    """Rank in both directions from one matrix product, held only a block at a time.

    Args:
        rows: (rows, dim) embeddings, of pictures for example.
        columns: (columns, dim) embeddings, of captions for example.
        row_ids: (rows,) identities; a row and a column with equal ids are positives.
        column_ids: (columns,).

    Returns:
        Ranks of the columns for every row, and of the rows for every column.

    Raises:
        ValueError: shapes disagree, a score is not finite, or nothing has a positive.
    """
    return rank(EmbeddingScores(rows, columns), row_ids=row_ids, column_ids=column_ids)


def rank(
    scores: Scores,
    *,
    row_ids: Ids,
    column_ids: Ids,
    block_rows: int = BLOCK_ROWS,
    block_columns: int = BLOCK_COLUMNS,
) -> BothWays:
    """Rank in both directions by scores computed in blocks, each block once.

    Args:
        scores: the scores; see :mod:`polyglance.evaluation.scores`.
        row_ids: (rows,) identities; a row and a column with equal ids are positives.
        column_ids: (columns,).
        block_rows: rows a block; memory is two blocks.
        block_columns: columns a block.

    Raises:
        ValueError: as :func:`rank_embeddings`.
    """
    row_count, column_count = scores.shape
    if (len(row_ids), len(column_ids)) != scores.shape:
        raise ValueError(
            f"{len(row_ids)} and {len(column_ids)} ids cannot name scores of shape {scores.shape}"
        )
    pair_rows, pair_columns = positive_pairs(row_ids, column_ids)
    if not len(pair_rows):
        raise ValueError("no row and no column share an id, so there is nothing to rank")
    pair_scores = scores.pairs(pair_rows, pair_columns)
    check_finite(pair_scores)
    pair_scores = pair_scores - scores.tolerance
    row_side = _Side(pair_rows, pair_scores, count=row_count)
    column_side = _Side(pair_columns, pair_scores, count=column_count)
    scratch = pair_scores.new_empty(min(block_rows, row_count) * min(block_columns, column_count))

    for top in range(0, row_count, block_rows):
        rows = slice(top, min(top + block_rows, row_count))
        first, last = torch.searchsorted(pair_rows, torch.tensor([rows.start, rows.stop])).tolist()
        band_rows, band_columns = pair_rows[first:last] - top, pair_columns[first:last]
        for left in range(0, column_count, block_columns):
            columns = slice(left, min(left + block_columns, column_count))
            block = scores.block(rows, columns)
            check_finite(block)
            # Positives are taken out of the block, so that what is counted are negatives alone.
            here = (band_columns >= columns.start) & (band_columns < columns.stop)
            block[band_rows[here], band_columns[here] - left] = -torch.inf
            row_side.count(block, rows, scratch)
            column_side.count(block.T, columns, scratch)
    return BothWays(row_side.ranks(column_count), column_side.ranks(row_count))


def positive_pairs(row_ids: Ids, column_ids: Ids) -> tuple[Tensor, Tensor]:
    """Index pairs with equal ids, ordered by row: two int64 tensors (pairs,)."""
    both = np.concatenate([np.asarray(row_ids), np.asarray(column_ids)])
    codes = np.unique(both, return_inverse=True)[1]
    rows, columns = codes[: len(row_ids)], codes[len(row_ids) :]
    order = np.argsort(columns, kind="stable")
    first = np.searchsorted(columns[order], rows, side="left")  # (rows,)
    counts = np.searchsorted(columns[order], rows, side="right") - first
    pair_rows = np.repeat(np.arange(len(rows)), counts)  # (pairs,)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    pair_columns = order[np.repeat(first, counts) + within]
    return torch.from_numpy(pair_rows), torch.from_numpy(pair_columns)


class _Side:
    """One direction: the thresholds of its queries and how many negatives reach them.

    Args:
        queries: (pairs,) query index of every positive pair.
        thresholds: (pairs,) score that a negative must reach to stand ahead of it.
        count: number of queries.
    """

    def __init__(self, queries: Tensor, thresholds: Tensor, *, count: int) -> None:
        device, thresholds = thresholds.device, thresholds.cpu()
        # Best positive first within each query: a stable sort by query of a sort by score.
        order = torch.argsort(thresholds, descending=True)
        order = order[torch.argsort(queries[order], stable=True)]
        self._positives = torch.bincount(queries, minlength=count)  # (queries,)
        starts = self._positives.cumsum(0) - self._positives
        place = torch.arange(len(queries)) - starts[queries[order]]  # (pairs,)
        width = int(self._positives.max())
        table = thresholds.new_full((width, count), torch.inf)
        table[place, queries[order]] = thresholds[order]
        self._thresholds = table.to(device)  # (places, queries)
        self._ahead = torch.zeros((width, count), dtype=torch.int64)

    def count(self, block: Tensor, queries: slice, scratch: Tensor) -> None:
        """Count the negatives of ``block`` (queries, items) that reach each threshold."""
        positives = self._positives[queries]
        for place in range(int(positives.max())):
            thresholds = self._thresholds[place, queries]
            if place < int(positives.min()):
                self._ahead[place, queries] += _reaching(block, thresholds, scratch)
            else:  # only some queries have so many positives
                some = torch.nonzero(positives > place).squeeze(1)
                ahead = _reaching(block[some], thresholds[some], scratch)
                self._ahead[place, some + queries.start] += ahead

    def ranks(self, gallery: int) -> Ranks:
        """Ranks of the positives of all queries that have one."""
        queries = torch.nonzero(self._positives).squeeze(1)
        places = torch.arange(1, len(self._ahead) + 1)[:, None]  # (places, 1)
        ranks = (self._ahead + places)[:, queries]  # (places, queries)
        ranks[places > self._positives[queries]] = 0
        return Ranks(queries.numpy(), np.ascontiguousarray(ranks.T.numpy()), gallery)


def _reaching(block: Tensor, thresholds: Tensor, scratch: Tensor) -> Tensor:
    """(queries, items), (queries,) → (queries,) how many items reach the threshold."""
    # Comparing into floats and adding them up is vectorised, adding booleans is not; the layout
    # follows the block's, which may be a transposed view.
    hits = scratch[: block.numel()].view(block.T.shape if _is_transposed(block) else block.shape)
    hits = hits.T if _is_transposed(block) else hits
    torch.ge(block, thresholds[:, None], out=hits)
    return hits.sum(dim=1).long().cpu()


def _is_transposed(block: Tensor) -> bool:
    return block.stride(0) == 1 and block.stride(1) != 1
