"""Metrics against ir-measures (pytrec_eval) and against hand-made numbers."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import RR, Qrel, R, ScoredDoc, Success, nDCG

from polyglance.evaluation.metrics import (
    CUTOFF,
    NAMES,
    Metrics,
    metrics,
    query_values,
    recall_curve,
    rsum,
)
from polyglance.evaluation.ranks import Ranks, rank
from polyglance.evaluation.scores import MatrixScores


def ranks_of(*rows, gallery=100):
    width = max(len(row) for row in rows)
    table = np.array([[*row, *[0] * (width - len(row))] for row in rows], dtype=np.int64)
    return Ranks(np.arange(len(rows)), table, gallery)


def pessimistic(scores, positive):
    """The same order without ties: negatives first, then positives, by a full sort."""
    order = sorted(range(len(scores)), key=lambda item: (-scores[item], positive[item]))
    return {item: float(len(scores) - place) for place, item in enumerate(order)}


def oracle(scores, row_ids, column_ids):
    qrels, run = [], []
    for query, row in enumerate(scores):
        positive = [column == row_ids[query] for column in column_ids]
        if not any(positive):
            continue
        qrels += [Qrel(f"q{query}", f"d{d}", 1) for d, hit in enumerate(positive) if hit]
        run += [ScoredDoc(f"q{query}", f"d{d}", s) for d, s in pessimistic(row, positive).items()]
    measures = [Success @ 1, Success @ 5, Success @ 10, RR, nDCG @ 10]
    found = ir_measures.pytrec_eval.calc_aggregate(measures, qrels, run)
    return [found[measure] for measure in measures]


@st.composite
def problems(draw):
    rows, columns = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    levels = draw(st.sampled_from([1, 3, 1000]))  # all tied, many ties, few
    seed = draw(st.integers(0, 2**16))
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, levels, (rows, columns)).astype(np.float32)
    column_ids = generator.integers(0, draw(st.sampled_from([1, 3, 20])), columns)
    row_ids = generator.integers(0, 5, rows)
    row_ids[0] = column_ids[0]
    return scores, row_ids, column_ids


@settings(max_examples=120, deadline=None)
@given(problems())
def test_equal_to_pytrec_eval_with_ties_many_positives_and_cutoffs_beyond_the_gallery(problem):
    scores, row_ids, column_ids = problem
    both = rank(MatrixScores(scores), row_ids=row_ids, column_ids=column_ids)
    found = metrics(both.rows)
    ours = [found.recall_at_1 / 100, found.recall_at_5 / 100, found.recall_at_10 / 100]
    ours += [found.mean_reciprocal_rank, found.ndcg_at_10]
    np.testing.assert_allclose(ours, oracle(scores, row_ids, column_ids), atol=1e-9)


def test_recall_is_of_the_best_positive_and_not_of_all_of_them():
    """The field's R@K is trec's success; trec's recall would be a half here."""
    scores = np.array([[3.0, 2.0, 1.0]], dtype=np.float32)
    both = rank(MatrixScores(scores), row_ids=[0], column_ids=[0, 1, 0])
    run = [ScoredDoc("q", f"d{d}", float(s)) for d, s in enumerate(scores[0])]
    qrels = [Qrel("q", "d0", 1), Qrel("q", "d2", 1)]
    assert ir_measures.pytrec_eval.calc_aggregate([R @ 1], qrels, run)[R @ 1] == 0.5
    assert metrics(both.rows).recall_at_1 == 100.0


def test_by_hand():
    found = metrics(ranks_of([1, 7], [6], [12, 13], [2]))
    assert found.recall_at_1 == 25.0
    assert found.recall_at_5 == 50.0
    assert found.recall_at_10 == 75.0
    assert found.median_rank == 4.0  # of 1, 2, 6, 12: between 2 and 6
    assert found.mean_rank == pytest.approx(21 / 4)
    assert found.mean_reciprocal_rank == pytest.approx((1 + 1 / 6 + 1 / 12 + 1 / 2) / 4)
    first = (1 + 1 / np.log2(8)) / (1 + 1 / np.log2(3))
    ndcg = [first, 1 / np.log2(7), 0, 1 / np.log2(3)]
    assert found.ndcg_at_10 == pytest.approx(np.mean(ndcg))


def test_the_median_of_an_even_number_is_rounded_down():
    assert metrics(ranks_of([1], [2])).median_rank == 1.0
    assert metrics(ranks_of([1], [4], [2])).median_rank == 2.0


def test_more_positives_than_the_cutoff_can_still_be_perfect():
    found = metrics(ranks_of(list(range(1, CUTOFF + 6))))
    assert found.ndcg_at_10 == pytest.approx(1.0)


def test_rsum_adds_six_recalls():
    best = metrics(ranks_of([1]))
    assert rsum(best, best) == 600.0
    assert rsum(best, metrics(ranks_of([7]))) == 400.0


def test_means_are_the_means_of_what_queries_add():
    ranks = ranks_of([1, 7], [6], [12, 13], [2])
    found = metrics(ranks).as_dict()
    del found["MedR"]
    np.testing.assert_allclose(query_values(ranks).mean(axis=0), list(found.values()))


def test_curve_reaches_everything_at_the_gallery_size():
    assert recall_curve(ranks_of([1], [3], [4], gallery=4), (1, 3, 4, 50)) == pytest.approx(
        [100 / 3, 200 / 3, 100, 100]
    )


def test_names_round_trip():
    found = metrics(ranks_of([1], [3]))
    assert tuple(found.as_dict()) == NAMES
    assert Metrics.from_dict({**found.as_dict(), "gallery": 3}) == found


def test_no_query_with_a_positive_is_an_error():
    empty = Ranks(np.zeros(0, np.int64), np.zeros((0, 1), np.int64), 3)
    with pytest.raises(ValueError, match="nothing to average"):
        metrics(empty)
