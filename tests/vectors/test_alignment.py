"""Rotations that are known, found again: by pairs, by refinement, and through a third language."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from polyglance.errors import ConfigError
from polyglance.vectors.alignment import align, normalised
from polyglance.vectors.dictionary import Translations
from polyglance.vectors.joining import join
from polyglance.vectors.procrustes import procrustes
from polyglance.vectors.quality import induce
from polyglance.vectors.space import BilingualSpace, WordSpace


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rotation(dimension: int, seed: int = 7) -> Tensor:
    return torch.linalg.qr(draw(dimension, dimension, seed=seed)).Q


def space(vectors: Tensor, letter: str) -> WordSpace:
    return WordSpace([f"{letter}{row}" for row in range(len(vectors))], vectors)


def pairs(count: int, *, asked: int | None = None) -> Translations:
    rows = torch.arange(count)
    return Translations(torch.stack([rows, rows], dim=1), asked or count)


# Procrustes -------------------------------------------------------------------------------------


def test_a_rotation_is_found_again() -> None:
    turn, source = rotation(5), draw(30, 5)
    torch.testing.assert_close(procrustes(source, source @ turn.T), turn)


def test_it_is_orthogonal_and_no_rotation_fits_better() -> None:
    source, target = draw(20, 4, seed=1).double(), draw(20, 4, seed=2).double()
    matrix = procrustes(source, target)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(4, dtype=torch.double))

    def misfit(turn: Tensor) -> float:
        return sum(
            float((turn @ x - y).square().sum()) for x, y in zip(source, target, strict=True)
        )

    for first in range(4):  # every small turn away from it, either way, fits worse
        for second in range(first):
            for angle in (-0.01, 0.01):
                turn = torch.eye(4, dtype=torch.double)
                turn[[first, second], [first, second]] = math.cos(angle)
                turn[first, second], turn[second, first] = math.sin(angle), -math.sin(angle)
                assert misfit(turn @ matrix) > misfit(matrix)


def test_pairs_are_needed() -> None:
    with pytest.raises(ValueError, match="no pairs"):
        procrustes(draw(0, 4), draw(0, 4))
    with pytest.raises(ValueError, match="no pairs"):
        procrustes(draw(2, 4), draw(2, 5))


# Alignment --------------------------------------------------------------------------------------


def test_normalising() -> None:
    vectors = torch.cat([3 + draw(9, 4), torch.zeros(1, 4)])
    done = normalised(space(vectors, "a")).vectors
    unit = [row / row.norm() for row in vectors[:9]]
    mean = sum(unit) / 9
    for row, before in zip(done[:9], unit, strict=True):
        torch.testing.assert_close(row, (before - mean) / (before - mean).norm())
    assert not done[9].any()  # a word without a vector still has none


def noisy(noise: float, words: int = 300, dimension: int = 20) -> tuple[WordSpace, WordSpace]:
    target = draw(words, dimension, seed=1)
    source = (target + noise * draw(words, dimension, seed=2)) @ rotation(dimension)
    return space(source, "s"), space(target, "t")


def test_a_turned_language_comes_back() -> None:
    source, target = noisy(0.0)
    found = align(source, target, pairs(40))
    torch.testing.assert_close(
        found.space.source.vectors, found.space.target.vectors, atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        found.space.source.vectors, normalised(source).vectors @ found.matrix.T
    )
    assert found.space.target.words == target.words


def test_refinement_helps_where_the_dictionary_is_small() -> None:
    source, target = noisy(0.4)
    first = align(source, target, pairs(12), refinements=0)
    refined = align(source, target, pairs(12), refinements=4)
    assert first.kept == 0
    assert len(first.rounds) == 1
    assert refined.rounds[0] == first.rounds[0]
    assert first.rounds[0].pairs == 12
    best = max(each.criterion for each in refined.rounds)
    assert refined.rounds[refined.kept].criterion == best > first.rounds[0].criterion
    assert refined.rounds[1].pairs > 12

    everything = pairs(300)
    before = induce(first.space, everything).precision[1].percent
    after = induce(refined.space, everything).precision[1].percent
    assert after > before + 20


def test_only_frequent_words_refine() -> None:
    source, target = noisy(0.1)
    found = align(source, target, pairs(12), refinements=1, frequent=50)
    assert found.rounds[1].pairs <= 50 + 12


def test_what_cannot_be_aligned() -> None:
    with pytest.raises(ConfigError, match="of 3 and of 4 numbers"):
        align(space(draw(5, 3), "a"), space(draw(5, 4), "b"), pairs(2))
    with pytest.raises(ConfigError, match="right order"):
        align(space(draw(5, 3), "a"), space(draw(5, 3), "b"), pairs(0))


# Joining ----------------------------------------------------------------------------------------


def test_spaces_meet_in_the_language_they_share() -> None:
    """Three spaces turned at random, with other lengths and other words, are one again."""
    shared = functional.normalize(draw(30, 6), dim=1)
    words = [f"en{row}" for row in range(30)]
    halves = [functional.normalize(draw(10, 6, seed=seed), dim=1) for seed in (3, 4, 5)]
    spaces = []
    for number, half in enumerate(halves):
        turn = rotation(6, seed=20 + number)
        kept = slice(number, 25 + number)  # each lacks some English words
        spaces.append(
            BilingualSpace(
                WordSpace(words[kept], (number + 1) * shared[kept] @ turn),
                WordSpace([f"{number}-{row}" for row in range(10)], 2 * half @ turn),
            )
        )
    english, *others = join(spaces)
    assert english.words == words[:27]
    assert len(others) == 3
    back = procrustes(english.vectors, shared[:27])
    torch.testing.assert_close(english.turned(back).vectors, shared[:27], atol=1e-5, rtol=0)
    for other, half in zip(others, halves, strict=True):
        torch.testing.assert_close(other.turned(back).vectors, half, atol=1e-5, rtol=0)


def test_the_shared_language_is_the_mean_of_its_unit_vectors() -> None:
    first = WordSpace(["a", "b", "c"], torch.tensor([[2.0, 0], [0, 1], [0, 1]]))
    second = WordSpace(["b", "a", "d"], torch.tensor([[0, 3.0], [0.6, 0.8], [0, 1]]))
    target = space(draw(4, 2), "t")
    english = join([BilingualSpace(first, target), BilingualSpace(second, target)])[0]
    assert english.words == ["a", "b", "c", "d"]
    unit = second.unit()
    turn = procrustes(unit[[1, 0]], first.unit()[:2])
    for row, others in enumerate(
        [[first.unit()[0], turn @ unit[1]], [first.unit()[1], turn @ unit[0]]]
    ):
        mean = sum(others) / 2
        torch.testing.assert_close(english.vectors[row], mean / mean.norm())
    torch.testing.assert_close(english.vectors[2], torch.tensor([0.0, 1]))
    torch.testing.assert_close(english.vectors[3], turn @ unit[2])


def test_what_cannot_be_joined() -> None:
    target = space(draw(4, 2), "t")
    one = BilingualSpace(space(draw(3, 2), "a"), target)
    with pytest.raises(ConfigError, match="space 2 shares no word"):
        join([one, BilingualSpace(space(draw(3, 2), "b"), target)])
    wide = BilingualSpace(space(draw(3, 3), "a"), space(draw(3, 3), "t"))
    with pytest.raises(ConfigError, match="space 2 has vectors of 3 numbers, the first of 2"):
        join([one, wide])
    with pytest.raises(ValueError, match="no spaces"):
        join([])
