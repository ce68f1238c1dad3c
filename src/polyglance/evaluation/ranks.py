"""Ranks of the positives, counted in blocks and never sorted.

The rank of a positive is one plus the number of items ahead of it, so ranking a query needs
comparisons and no order: a block of scores is computed, compared with the scores of the positives,
and overwritten by the next. Both directions read the same block, by tiles that a processor's cache
holds. Blocks are shared among threads.

Ties are pessimistic: a negative that ties with a positive stands ahead of it. A collapsed model,
whose scores are all equal, therefore finds nothing, instead of whatever a sort happens to leave on
top. Positives never push one another back: the j-th best positive has j - 1 positives ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polyglance.evaluation.counting import (
    LANES,
    MOST_ADDED,
    Counts,
    Tile,
    reaching_by_column,
    reaching_by_row,
)
from polyglance.evaluation.scores import EmbeddingScores, Scores
from polyglance.slices import slices

if TYPE_CHECKING:
    from collections.abc import Sequence

    Ids = Sequence[int] | Sequence[str] | NDArray[np.generic]

BLOCK_ROWS = 1250
BLOCK_COLUMNS = LANES * MOST_ADDED
TILE_ROWS = 64  # with as many columns, half a megabyte
NUMPY_BUFFER = 256  # numbers


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
        block_rows: rows a block; memory is a block for each thread.
        block_columns: columns a block.

    Raises:
        ValueError: the ids do not fit the scores, or nothing has a positive.
    """
    row_count, column_count = scores.shape
    if (len(row_ids), len(column_ids)) != scores.shape:
        raise ValueError(
            f"{len(row_ids)} and {len(column_ids)} ids cannot name scores of shape {scores.shape}"
        )
    pair_rows, pair_columns = positive_pairs(row_ids, column_ids)
    if not len(pair_rows):
        raise ValueError("no row and no column share an id, so there is nothing to rank")
    thresholds = (scores.pairs(pair_rows, pair_columns) - scores.tolerance).cpu().numpy()
    row_side = _Side(pair_rows.numpy(), thresholds, count=row_count, axis=0)
    column_side = _Side(pair_columns.numpy(), thresholds, count=column_count, axis=1)

    def counted(rows: slice, columns: slice) -> tuple[Counts, Counts]:
        block = scores.block(rows, columns)
        # Positives are taken out of the block, so that only negatives are counted.
        first, last = torch.searchsorted(pair_rows, torch.tensor([rows.start, rows.stop])).tolist()
        own_rows, own_columns = pair_rows[first:last], pair_columns[first:last]
        here = (own_columns >= columns.start) & (own_columns < columns.stop)
        block[own_rows[here] - rows.start, own_columns[here] - columns.start] = -torch.inf
        by_row, by_column = [], np.zeros_like(column_side.ahead[:, columns])
        for some, tile in _tiles(block.cpu().numpy(), rows.start):
            by_column += column_side.counted(tile, columns)
            by_row.append(row_side.counted(tile, some))
        return np.concatenate(by_row, axis=1), by_column

    blocks = list(product(slices(row_count, block_rows), slices(column_count, block_columns)))
    with _threads() as pool:
        found = pool.map(counted, *zip(*blocks, strict=True))
        for (rows, columns), (by_row, by_column) in zip(blocks, found, strict=True):
            row_side.ahead[:, rows] += by_row
            column_side.ahead[:, columns] += by_column
    return BothWays(row_side.ranks(column_count), column_side.ranks(row_count))


def _tiles(block: Tile, first: int) -> Iterator[tuple[slice, Tile]]:
    """Some rows of a block after the other, with their places among all."""
    for rows in slices(len(block), TILE_ROWS):
        yield slice(first + rows.start, first + rows.stop), block[rows]


def _compute_alone() -> None:
    """What holds for this thread from now on."""
    torch.set_num_threads(1)
    # Rows shorter than its buffer are copied by numpy before they are compared, for nothing.
    np.setbufsize(NUMPY_BUFFER)


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """As many threads as torch computes with, each of which computes alone.

    A product that threads share ends when the last of them has, and again and again they would
    wait for one another.
    """
    count = torch.get_num_threads()
    with ThreadPoolExecutor(count, initializer=_compute_alone) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(count)  # a part of it is of the process, not of the thread


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
        axis: of a block that the queries lie along.

    Attributes:
        ahead: (places, queries) how many negatives reach the threshold of each positive.
    """

    def __init__(
        self, queries: NDArray[np.int64], thresholds: NDArray[np.float32], *, count: int, axis: int
    ) -> None:
        positives = np.bincount(queries, minlength=count)  # (queries,)
        order = np.argsort(queries, kind="stable")  # (pairs,)
        place = np.arange(len(queries)) - np.repeat(np.cumsum(positives) - positives, positives)
        table = np.full((count, positives.max()), -np.inf, dtype=np.float32)
        table[queries[order], place] = thresholds[order]
        best_first = np.sort(table, axis=1)[:, ::-1].T  # (places, queries)
        self._axis, self._reaching = axis, (reaching_by_row, reaching_by_column)[axis]
        self._positives, self._fewest = positives, positives.min()
        self._thresholds = np.ascontiguousarray(best_first)
        self.ahead = np.zeros(best_first.shape, dtype=np.int64)

    def counted(self, tile: Tile, queries: slice) -> Counts:
        """(places, queries) how many of a tile's negatives reach each of their thresholds."""
        thresholds = self._thresholds[:, queries]
        counts = self._reaching(tile, thresholds[: self._fewest])
        if self._fewest == len(thresholds):
            return counts
        rest = np.zeros_like(thresholds[self._fewest :], dtype=np.int64)
        for place, row in enumerate(rest, self._fewest):  # only some queries have so many positives
            some = np.flatnonzero(self._positives[queries] > place)
            theirs = tile.take(some, axis=self._axis)
            row[some] = self._reaching(theirs, thresholds[place : place + 1, some])[0]
        return np.concatenate([counts, rest])

    def ranks(self, gallery: int) -> Ranks:
        """Ranks of the positives of all queries that have one."""
        queries = np.flatnonzero(self._positives)
        places = np.arange(1, len(self.ahead) + 1)[:, None]  # (places, 1)
        ranks = (self.ahead + places)[:, queries]  # (places, queries)
        ranks[places > self._positives[queries]] = 0
        return Ranks(queries, np.ascontiguousarray(ranks.T), gallery)
