"""Neighbours by cosine and by CSLS, against the equations word by word."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from polyglance.vectors import csls


def clouds(words: int = 23, others: int = 31, dimension: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        functional.normalize(torch.randn(words, dimension, generator=generator), dim=1),
        functional.normalize(torch.randn(others, dimension, generator=generator), dim=1),
    )


def naive_mean(word: Tensor, others: Tensor, neighbours: int) -> float:
    cosines = sorted((float(word @ other) for other in others), reverse=True)[:neighbours]
    return sum(cosines) / len(cosines)


def naive_csls(words: Tensor, others: Tensor, neighbours: int) -> Tensor:
    return torch.tensor(
        [
            [
                2 * float(word @ other)
                - naive_mean(word, others, neighbours)
                - naive_mean(other, words, neighbours)
                for other in others
            ]
            for word in words
        ]
    )


@pytest.mark.parametrize("neighbours", [1, 10, 50])  # 50: more than there are
@pytest.mark.parametrize("at_once", [1, 100, 10**6])
def test_csls_against_the_equation(
    neighbours: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csls, "_SCORES_AT_ONCE", at_once)
    words, others = clouds()
    expected = naive_csls(words, others, neighbours).topk(4, dim=1)
    found = csls.nearest_by_csls(words, others, count=4, neighbours=neighbours)
    torch.testing.assert_close(found.scores, expected.values)
    assert torch.equal(found.rows, expected.indices)


def test_some_words_of_a_vocabulary() -> None:
    words, others = clouds()
    whole = csls.nearest_by_csls(words, others, count=2)
    some = csls.choose_by_csls(
        words[3:5],
        others,
        csls.density(words, others)[3:5],
        csls.density(others, words),
        count=2,
    )
    torch.testing.assert_close(some.scores, whole.scores[3:5])
    assert torch.equal(some.rows, whole.rows[3:5])


@pytest.mark.parametrize("at_once", [1, 10**6])
def test_nearest_by_cosine(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csls, "_SCORES_AT_ONCE", at_once)
    words, others = clouds()
    expected = (words @ others.T).topk(3, dim=1)
    found = csls.nearest(words, others, count=3)
    torch.testing.assert_close(found.scores, expected.values)
    assert torch.equal(found.rows, expected.indices)
    assert csls.nearest(words, others, count=99).rows.shape == (23, 31)


def test_a_hub_is_held_back() -> None:
    """A word in the middle of everything is nearest to all by cosine, and to none by CSLS."""
    corners, hub = torch.eye(4), torch.full((1, 4), 0.5)
    words = functional.normalize(corners + 0.55, dim=1)
    others = torch.cat([corners, hub])
    assert csls.nearest(words, others).rows[:, 0].eq(4).all()
    assert csls.nearest_by_csls(words, others, neighbours=2).rows[:, 0].tolist() == [0, 1, 2, 3]


def test_no_words() -> None:
    words, others = clouds()
    assert csls.nearest_by_csls(words[:0], others).rows.shape == (0, 1)
