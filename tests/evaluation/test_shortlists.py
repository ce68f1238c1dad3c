"""Two stages against orders that a sort makes, query by query."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polyglance.evaluation import shortlists as module
from polyglance.evaluation.ranks import rank
from polyglance.evaluation.scores import EmbeddingScores, MatrixScores
from polyglance.evaluation.shortlists import shortlists


def drawn(seed, rows=7, columns=11):
    """First scores where some negatives tie with positives, second scores where many tie."""
    generator = np.random.default_rng(seed)
    first = generator.normal(size=(rows, columns)).astype(np.float32)
    row_ids = generator.permutation(rows)
    column_ids = generator.integers(0, rows - 1, columns)  # some rows have none, some several
    for column in range(0, columns, 2):
        own = int(np.flatnonzero(row_ids == column_ids[column])[0])
        other = int(generator.integers(rows))
        if row_ids[other] != column_ids[column]:
            first[other, column] = first[own, column]
    second = generator.integers(-2, 3, (rows, columns)).astype(np.float32)
    return first, second, row_ids, column_ids


def sorted_ranks(first, second, own, top, weight):
    """(gallery,) of one query → ranks of its positives, and what is on its list."""
    order = sorted(range(len(first)), key=lambda item: (-first[item], own[item]))
    both = second + weight * first
    listed = sorted(order[:top], key=lambda item: (-both[item], own[item]))
    final = listed + order[top:]
    return [place for place, item in enumerate(final, 1) if own[item]], set(order[:top])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    top=st.integers(1, 12),
    weight=st.sampled_from([0.0, 0.5, 3.0]),
)
def test_ranks_are_those_of_sorting_twice(seed, top, weight):
    first, second, row_ids, column_ids = drawn(seed)
    lists = shortlists(MatrixScores(first), row_ids=row_ids, column_ids=column_ids, top=top)
    pairs = lists.pairs
    found = lists.reranked(torch.from_numpy(second)[pairs[:, 0], pairs[:, 1]], weight=weight)
    own = row_ids[:, None] == column_ids
    wanted = set()
    for ways, side, listed in (
        ((first, second, own), found.rows, lists.rows),
        ((first.T, second.T, own.T), found.columns, lists.columns),
    ):
        found_ceiling = []
        queries = np.flatnonzero(ways[2].any(axis=1))
        assert side.queries.tolist() == queries.tolist()
        assert side.gallery == ways[0].shape[1]
        for place, query in enumerate(queries):
            ranks, items = sorted_ranks(*(way[query] for way in ways), top, weight)
            assert [rank for rank in side.positives[place].tolist() if rank] == ranks
            assert set(listed.items[place].tolist()) == items
            found_ceiling.append(any(ways[2][query, item] for item in items))
            swap = slice(None, None, 1 if ways[0] is first else -1)
            wanted |= {(int(query), item)[swap] for item in items}
        assert listed.ceiling == pytest.approx(100 * np.mean(found_ceiling))
    assert sorted(map(tuple, pairs.tolist()), key=lambda pair: pair[::-1]) == list(
        map(tuple, pairs.tolist())
    )
    assert set(map(tuple, pairs.tolist())) == wanted


def test_lists_of_everything_leave_the_second_stage_alone():
    first, second, row_ids, column_ids = drawn(3)
    lists = shortlists(MatrixScores(first), row_ids=row_ids, column_ids=column_ids, top=99)
    pairs = lists.pairs
    both = lists.reranked(torch.from_numpy(second)[pairs[:, 0], pairs[:, 1]])
    alone = rank(MatrixScores(second), row_ids=row_ids, column_ids=column_ids)
    np.testing.assert_array_equal(both.columns.positives, alone.columns.positives)
    np.testing.assert_array_equal(both.rows.positives, alone.rows.positives)
    assert lists.rows.ceiling == lists.columns.ceiling == 100.0


def test_a_second_stage_that_agrees_changes_nothing(monkeypatch):
    monkeypatch.setattr(module, "QUERIES_AT_ONCE", 3)
    generator = torch.Generator().manual_seed(0)
    rows, columns = (torch.randn(n, 5, generator=generator) for n in (10, 14))
    scores = EmbeddingScores(rows, columns)
    ids = {"row_ids": range(10), "column_ids": [n % 10 for n in range(14)]}
    lists = shortlists(scores, **ids, top=4)
    pairs = lists.pairs
    agreed = lists.reranked(scores.pairs(pairs[:, 0], pairs[:, 1]))
    for found, first in zip(agreed, rank(scores, **ids), strict=True):
        np.testing.assert_array_equal(found.positives, first.positives)


def test_a_collapsed_second_stage_finds_nothing_but_keeps_the_rest():
    first, _, row_ids, column_ids = drawn(5)
    lists = shortlists(MatrixScores(first), row_ids=row_ids, column_ids=column_ids, top=3)
    collapsed = lists.reranked(torch.zeros(len(lists.pairs))).columns
    before = lists.first.columns
    listed = lists.columns.own.any(dim=1).numpy()
    assert listed.any()
    assert not listed.all()
    assert (collapsed.best[listed] == 3).all()
    np.testing.assert_array_equal(collapsed.best[~listed], before.best[~listed])


def test_scores_that_are_no_numbers_are_refused():
    first, _, row_ids, column_ids = drawn(1)
    lists = shortlists(MatrixScores(first), row_ids=row_ids, column_ids=column_ids, top=2)
    with pytest.raises(ValueError, match="not finite"):
        lists.reranked(torch.full((len(lists.pairs),), torch.nan))
    with pytest.raises(ValueError, match="top is 0"):
        shortlists(MatrixScores(first), row_ids=row_ids, column_ids=column_ids, top=0)
