"""Ranks against a full sort, written as naively as can be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polyglance.evaluation.ranks import positive_pairs, rank, rank_embeddings
from polyglance.evaluation.scores import EmbeddingScores, MatrixScores


def sorted_ranks(scores, query_ids, gallery_ids):
    """Sort every row, negatives before positives where scores tie; ranks of the positives."""
    everything = []
    for row, query_id in zip(scores, query_ids, strict=True):
        positive = [gallery_id == query_id for gallery_id in gallery_ids]
        order = sorted(range(len(row)), key=lambda item: (-row[item], positive[item]))
        everything.append([place for place, item in enumerate(order, 1) if positive[item]])
    return everything


def as_lists(ranks, queries):
    """A list of ranks for each of all queries, empty where there is no positive."""
    lists = [[] for _ in range(queries)]
    for query, row in zip(ranks.queries, ranks.positives, strict=True):
        lists[query] = [int(value) for value in row if value]
    return lists


@st.composite
def problems(draw):
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 17))
    values = st.integers(-2, 2)  # few values, so many ties, all exact in float32
    scores = draw(st.lists(values, min_size=rows * columns, max_size=rows * columns))
    ids = st.integers(0, 4)
    row_ids = draw(st.lists(ids, min_size=rows, max_size=rows))
    column_ids = draw(st.lists(ids, min_size=columns, max_size=columns))
    column_ids[-1] = row_ids[-1]  # at least one positive
    return np.array(scores, dtype=np.float32).reshape(rows, columns), row_ids, column_ids


@settings(max_examples=150, deadline=None)
@given(problems(), st.integers(1, 4), st.integers(1, 5))
def test_both_directions_equal_a_full_sort(problem, block_rows, block_columns):
    scores, row_ids, column_ids = problem
    both = rank(
        MatrixScores(scores),
        row_ids=row_ids,
        column_ids=column_ids,
        block_rows=block_rows,
        block_columns=block_columns,
    )
    assert as_lists(both.rows, len(row_ids)) == sorted_ranks(scores, row_ids, column_ids)
    assert as_lists(both.columns, len(column_ids)) == sorted_ranks(scores.T, column_ids, row_ids)
    assert (both.rows.gallery, both.columns.gallery) == (len(column_ids), len(row_ids))


def test_embeddings_larger_than_a_block():
    generator = np.random.default_rng(0)
    images = generator.normal(size=(600, 16))
    texts = generator.normal(size=(9000, 16))
    text_ids = np.sort(generator.integers(0, 600, 9000))
    both = rank_embeddings(images, texts, row_ids=np.arange(600), column_ids=text_ids)
    scores = images @ texts.T
    some = [0, 17, 511, 512, 599]
    expected = sorted_ranks(scores[some], some, text_ids)
    found = as_lists(both.rows, 600)
    # float64 here against float32 there: a rank of thousands may move past a neighbour or two
    for query, ranks in zip(some, expected, strict=True):
        np.testing.assert_allclose(found[query], ranks, atol=2)
    best = [min(ranks) for ranks in sorted_ranks(scores.T[::500], text_ids[::500], range(600))]
    assert both.columns.best[::500].tolist() == best


def test_a_collapsed_model_is_ranked_last_whatever_the_blocks():
    vector = torch.nn.functional.normalize(torch.randn(1, 509), dim=1)
    images, texts = vector.repeat(70, 1), vector.repeat(350, 1)
    both = rank(
        EmbeddingScores(images, texts),
        row_ids=range(70),
        column_ids=np.repeat(np.arange(70), 5),
        block_rows=13,  # ragged blocks are multiplied by other code, with other rounding
        block_columns=37,
    )
    assert both.columns.best.tolist() == [70] * 350
    assert both.rows.positives[0].tolist() == [346, 347, 348, 349, 350]


def test_rounding_makes_no_ranks_out_of_vectors_that_are_equal_but_for_noise():
    vector = torch.nn.functional.normalize(torch.randn(1, 512, dtype=torch.float64), dim=1)
    noisy = (vector + 1e-9 * torch.randn(40, 512)).float()
    both = rank_embeddings(noisy, noisy, row_ids=range(40), column_ids=range(40))
    assert both.rows.best.tolist() == [40] * 40


def test_the_tolerance_follows_the_length_of_the_vectors():
    short = EmbeddingScores(torch.eye(3), torch.eye(3)).tolerance
    long = EmbeddingScores(100 * torch.eye(3), torch.eye(3)).tolerance
    assert long == pytest.approx(100 * short)


def test_queries_without_a_positive_are_left_out_and_gallery_items_without_one_stay():
    scores = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.5, 0.95]])
    both = rank(MatrixScores(scores), row_ids=["a", "b", "c"], column_ids=["a", "b"])
    assert both.rows.queries.tolist() == [0, 1]
    assert both.rows.best.tolist() == [1, 1]
    assert both.columns.best.tolist() == [1, 2]  # "c" stands before "b" for the second text
    assert both.columns.gallery == 3


def test_the_scores_survive():
    scores = torch.rand(5, 7)
    before = scores.clone()
    rank(MatrixScores(scores), row_ids=range(5), column_ids=range(7))
    assert torch.equal(scores, before)


def test_half_precision_and_arrays_are_taken():
    rows = torch.eye(4, dtype=torch.bfloat16)
    both = rank_embeddings(rows, np.eye(4), row_ids=range(4), column_ids=range(4))
    assert both.rows.best.tolist() == [1, 1, 1, 1]


def test_many_scores_in_half_precision_are_finite_though_their_sum_is_not():
    scores = torch.full((300, 300), 2.0, dtype=torch.float16)
    both = rank(MatrixScores(scores), row_ids=range(300), column_ids=range(300))
    assert both.rows.best.tolist() == [300] * 300


def test_tensors_of_a_training_step_are_taken_as_they_come():
    learned = torch.eye(4, requires_grad=True)
    with torch.inference_mode():
        inferred = torch.eye(4) * 2
    for rows, columns in ((learned, inferred), (inferred, learned * 3)):
        both = rank_embeddings(rows, columns, row_ids=range(4), column_ids=range(4))
        assert both.rows.best.tolist() == [1, 1, 1, 1]
        scores = MatrixScores(rows @ columns.detach().clone().T)
        assert rank(scores, row_ids=range(4), column_ids=range(4)).rows.best.max() == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_an_error(bad):
    scores = np.zeros((3, 4), dtype=np.float32)
    scores[2, 0] = bad  # a negative
    with pytest.raises(ValueError, match="not finite"):
        rank(MatrixScores(scores), row_ids=range(3), column_ids=range(4))
    embeddings = np.eye(3)
    embeddings[1, 1] = bad  # a positive
    with pytest.raises(ValueError, match="not finite"):
        rank_embeddings(embeddings, np.eye(3), row_ids=range(3), column_ids=range(3))


def test_nothing_to_rank_is_an_error():
    with pytest.raises(ValueError, match="nothing to rank"):
        rank_embeddings(np.eye(2), np.eye(2), row_ids=[0, 1], column_ids=[2, 3])


def test_shapes_that_disagree_are_errors():
    with pytest.raises(ValueError, match="cannot be compared"):
        EmbeddingScores(np.eye(2), np.eye(3))
    with pytest.raises(ValueError, match="matrix"):
        MatrixScores(np.zeros(3))
    with pytest.raises(ValueError, match="cannot name"):
        rank_embeddings(np.eye(2), np.eye(2), row_ids=[0], column_ids=[0, 1])


def test_positive_pairs_join_by_identity():
    rows, columns = positive_pairs(["b", "a", "b"], ["a", "b", "c", "b"])
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [
        (0, 1),
        (0, 3),
        (1, 0),
        (2, 1),
        (2, 3),
    ]


def test_torch_computes_with_as_many_threads_as_before():
    before, buffer = torch.get_num_threads(), np.getbufsize()
    torch.set_num_threads(2)
    try:
        rank_embeddings(np.eye(3), np.eye(3), row_ids=range(3), column_ids=range(3))
        assert torch.get_num_threads() == 2
        with pytest.raises(RuntimeError, match="no scores"):
            rank(Unreadable(), row_ids=range(3), column_ids=range(3))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert np.getbufsize() == buffer


class Unreadable(MatrixScores):
    """Scores that cannot be computed."""

    def __init__(self):
        super().__init__(np.eye(3))

    def block(self, rows, columns):
        raise RuntimeError("no scores")


def test_several_threads_rank_as_one_does():
    generator = np.random.default_rng(0)
    images, texts = generator.normal(size=(90, 8)), generator.normal(size=(450, 8))
    scores = EmbeddingScores(images, texts)
    before, found = torch.get_num_threads(), []
    for threads in (1, 4):
        torch.set_num_threads(threads)
        try:
            both = rank(
                scores,
                row_ids=range(90),
                column_ids=np.repeat(np.arange(90), 5),
                block_rows=20,
                block_columns=70,
            )
        finally:
            torch.set_num_threads(before)
        found.append(both)
    assert np.array_equal(found[0].rows.positives, found[1].rows.positives)
    assert np.array_equal(found[0].columns.positives, found[1].columns.positives)
