"""n-grams and their hash: against fastText's rule, gensim's hash and numbers known by heart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gensim.models.fasttext_inner import compute_ngrams_bytes, ft_hash_bytes

from polyglance.text.subwords import Subwords, average, hash_ngrams

WORDS = ["where", "a", "běží", "狗", "straßenbahn", "👩🏽‍🚀", "où", "кот", "und"]


def subwords(minimum: int = 3, maximum: int = 6, buckets: int = 50) -> Subwords:
    table = torch.randn(buckets, 4, generator=torch.Generator().manual_seed(0))
    return Subwords(minimum=minimum, maximum=maximum, buckets=table)


def naive_hash(ngram: str) -> int:
    """FNV-1a with 32 bits; bytes are signed, and so widened to 32 bits by their sign."""
    value = np.uint32(2166136261)
    with np.errstate(over="ignore"):
        for byte in ngram.encode():
            value ^= np.uint32(np.int32(np.int8(np.uint8(byte))))
            value *= np.uint32(16777619)
    return int(value)


def naive_ngrams(word: str, minimum: int, maximum: int) -> list[str]:
    bounded = f"<{word}>"
    return [
        bounded[start:end]
        for start in range(len(bounded))
        for end in range(start + 1, len(bounded) + 1)
        if minimum <= end - start <= maximum and bounded[start:end] not in "<>"
    ]


def test_the_hash_is_fnv_1a() -> None:
    (value,) = hash_ngrams(b"a", 1, 1)
    assert value == 0xE40C292C  # the published value for "a"


@pytest.mark.parametrize("lengths", [(3, 6), (1, 2), (1, 1), (2, 4), (6, 6)])
@pytest.mark.parametrize("word", WORDS)
def test_ngrams_and_hashes(word: str, lengths: tuple[int, int]) -> None:
    found = list(hash_ngrams(word.encode(), *lengths))
    assert found == [naive_hash(ngram) for ngram in naive_ngrams(word, *lengths)]


@pytest.mark.parametrize("word", WORDS)
def test_gensim_hashes_alike(word: str) -> None:
    theirs = [ft_hash_bytes(ngram) for ngram in compute_ngrams_bytes(word, 3, 6)]
    assert sorted(hash_ngrams(word.encode(), 3, 6)) == sorted(theirs)


def test_a_vector_is_the_mean_of_its_ngrams() -> None:
    some = subwords()
    for word, vector in zip(WORDS, some.vectors(WORDS), strict=True):
        rows = [naive_hash(ngram) % 50 for ngram in naive_ngrams(word, 3, 6)]
        expected = sum(some.buckets[row] for row in rows) / len(rows)
        torch.testing.assert_close(vector, expected)
        torch.testing.assert_close(some.vector(word), expected)


def test_a_word_without_ngrams_is_zero() -> None:
    some = subwords(minimum=5)
    assert some.rows("ab") == []
    assert not some.vector("ab").any()
    assert not some.vector("</s>").any()  # the mark at a sentence's end
    assert some.vectors([]).shape == (0, 4)


def test_a_lone_surrogate_is_a_question_mark() -> None:
    assert torch.equal(subwords().vector("a\ud800b"), subwords().vector("a?b"))


def test_nothing_learns_and_everything_is_saved() -> None:
    some = subwords()
    assert not list(some.parameters())
    assert set(some.state_dict()) == {"buckets"}


def test_means_of_rows() -> None:
    table = torch.arange(6.0).reshape(3, 2)
    means = average(table, [[0, 2], [], [1, 1, 2]])
    torch.testing.assert_close(means, torch.tensor([[2, 3], [0, 0], [8 / 3, 11 / 3]]))


@pytest.mark.parametrize("arguments", [(0, 3, 5), (4, 3, 5), (3, 6, 0)])
def test_impossible_ngrams_are_refused(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"n-grams of|buckets must be"):
        subwords(*arguments)
