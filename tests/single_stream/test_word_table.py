"""Vectors of a vocabulary: whole, factorised, given, frozen; and the scores of states."""

from __future__ import annotations

import pytest
import torch

from polyglance.single_stream.word_table import WordTable, new_word_table


@pytest.mark.parametrize("dimension", [None, 5])
def test_vectors_start_as_large_as_berts(dimension: int | None) -> None:
    torch.manual_seed(0)
    table = new_word_table(vocabulary_size=400, width=64, dimension=dimension)
    out = table(torch.arange(400))
    assert out.shape == (400, 64)
    assert 0.017 < out.std() < 0.023
    assert len(table) == 400


@pytest.mark.parametrize("dimension", [None, 5])
def test_scores_are_inner_products_with_what_words_become(dimension: int | None) -> None:
    torch.manual_seed(0)
    table = new_word_table(vocabulary_size=7, width=6, dimension=dimension).double()
    states = torch.randn(2, 3, 6, dtype=torch.double, requires_grad=True)
    scores = table.scores(states)
    expected = torch.stack([(states * table(torch.tensor(word))).sum(-1) for word in range(7)], -1)
    torch.testing.assert_close(scores, expected)
    weights = torch.randn_like(scores)
    found = torch.autograd.grad((scores * weights).sum(), [states, *table.parameters()])
    wanted = torch.autograd.grad((expected * weights).sum(), [states, *table.parameters()])
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_given_vectors_keep_their_directions() -> None:
    given = torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]])
    table = new_word_table(vocabulary_size=3, width=6, dimension=2, vectors=given)
    torch.testing.assert_close(table.vectors[0], torch.tensor([0.6, 0.8]))
    torch.testing.assert_close(table.vectors[2], torch.tensor([0.0, -1.0]))
    torch.testing.assert_close(table.vectors[1].norm(), torch.tensor(1.0))  # starts at random
    whole = new_word_table(vocabulary_size=3, width=2, vectors=given)
    torch.testing.assert_close(
        torch.nn.functional.cosine_similarity(whole.vectors[0], given[0], dim=0), torch.tensor(1.0)
    )


def test_frozen_vectors_learn_only_their_projection() -> None:
    table = new_word_table(vocabulary_size=3, width=6, dimension=2, frozen=True)
    table.requires_grad_(True)  # as every phase of training begins
    table.scores(table(torch.arange(3))).sum().backward()
    assert table.vectors.grad is None
    assert table.projection is not None
    assert table.projection.weight.grad is not None


def test_impossible_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="projection that learns"):
        WordTable(vectors=torch.ones(3, 2), frozen=True)
    with pytest.raises(ValueError, match=r"\(3, 2\) cannot fill \(4, 2\)"):
        new_word_table(vocabulary_size=4, width=6, dimension=2, vectors=torch.ones(3, 2))
