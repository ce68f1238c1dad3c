"""What a space promises of its words."""

from __future__ import annotations

import pytest
import torch

from polyglance.vectors.space import BilingualSpace, WordSpace


def test_a_word_stands_where_it_stands_first() -> None:
    assert WordSpace(["a", "b", "a"], torch.zeros(3, 2)).rows() == {"a": 0, "b": 1}


def test_a_map_is_applied_to_every_vector() -> None:
    space = WordSpace(["a", "b"], torch.tensor([[1.0, 2.0], [3.0, 5.0]]))
    matrix = torch.tensor([[0.0, 1.0], [-1.0, 0.5]])
    turned = space.turned(matrix)
    for before, after in zip(space.vectors, turned.vectors, strict=True):
        torch.testing.assert_close(after, matrix @ before)


def test_unit_vectors_and_zero() -> None:
    space = WordSpace(["a", "b"], torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    torch.testing.assert_close(space.unit(), torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    assert space.most_frequent(1).words == ["a"]


def test_words_and_vectors_belong_together() -> None:
    with pytest.raises(ValueError, match="2 words"):
        WordSpace(["a", "b"], torch.zeros(3, 2))
    with pytest.raises(ValueError, match="one dimension"):
        BilingualSpace(WordSpace(["a"], torch.zeros(1, 2)), WordSpace(["b"], torch.zeros(1, 3)))
