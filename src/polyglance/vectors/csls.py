"""Nearest neighbours across languages, with hubs held back.

Some vectors, the hubs, are near to everything, and others near to nothing. Conneau et al. ("Word
translation without parallel data", ICLR 2018, section 2.3) take off each similarity what the two
words have with their surroundings anyway: with r_T(x) the mean cosine of x with its K nearest
target words, and r_S(y) that of y with its K nearest source words,

    CSLS(x, y) = 2 cos(x, y) − r_T(x) − r_S(y).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

NEIGHBOURS = 10  # K in the paper
_SCORES_AT_ONCE = 20_000_000  # 80 MB


class Neighbours(NamedTuple):
    """The best of some words, best first.

    Attributes:
        scores: (words, count), cosines or CSLS.
        rows: (words, count), which they are.
    """

    scores: Tensor
    rows: Tensor


def nearest(words: Tensor, others: Tensor, *, count: int = 1) -> Neighbours:
    """The words of highest cosine.

    Args:
        words: (words, dimension), unit vectors.
        others: (others, dimension), unit vectors to choose from.
        count: how many; no more than there are.
    """
    return _best(words, others, torch.zeros(len(words)), torch.zeros(len(others)), count)


def nearest_by_csls(
    words: Tensor, others: Tensor, *, count: int = 1, neighbours: int = NEIGHBOURS
) -> Neighbours:
    """The words of highest CSLS.

    Args:
        words: (words, dimension), unit vectors of a whole vocabulary, since r_S is over it.
        others: (others, dimension), unit vectors to choose from.
        count: how many; no more than there are.
        neighbours: K, of each mean.
    """
    return choose_by_csls(
        words,
        others,
        density(words, others, neighbours=neighbours),
        density(others, words, neighbours=neighbours),
        count=count,
    )


def choose_by_csls(
    words: Tensor, others: Tensor, words_density: Tensor, others_density: Tensor, *, count: int = 1
) -> Neighbours:
    """:func:`nearest_by_csls` where the means are known, for some words of a vocabulary.

    Args:
        words: (words, dimension), unit vectors.
        others: (others, dimension), unit vectors to choose from.
        words_density: (words,), r_T.
        others_density: (others,), r_S.
        count: how many; no more than there are.
    """
    scores, rows = _best(words, others, words_density / 2, others_density / 2, count)
    return Neighbours(2 * scores, rows)


def density(words: Tensor, others: Tensor, *, neighbours: int = NEIGHBOURS) -> Tensor:
    """(words,): the mean cosine of each word with its nearest ones of the other language.

    Args:
        words: (words, dimension), unit vectors.
        others: (others, dimension), unit vectors.
        neighbours: K; all, where there are fewer.
    """
    means = [
        torch.mm(words[some], others.T).topk(min(neighbours, len(others)), dim=1).values.mean(dim=1)
        for some in _blocks(len(words), len(others))
    ]
    return torch.cat(means) if means else torch.zeros(0)


def _best(
    words: Tensor, others: Tensor, words_taken: Tensor, others_taken: Tensor, count: int
) -> Neighbours:
    count = min(count, len(others))
    scores, rows = torch.empty(len(words), count), torch.empty(len(words), count, dtype=torch.int64)
    for some in _blocks(len(words), len(others)):
        block = torch.mm(words[some], others.T)  # (some, others)
        block -= words_taken[some, None] + others_taken
        scores[some], rows[some] = block.topk(count, dim=1)
    return Neighbours(scores, rows)


def _blocks(words: int, others: int) -> Iterator[slice]:
    step = max(1, _SCORES_AT_ONCE // max(others, 1))
    return (slice(start, start + step) for start in range(0, words, step))
