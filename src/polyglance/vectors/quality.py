"""How good a bilingual space is: does a word's nearest neighbour translate it?

Dictionary induction as in Conneau et al. (ICLR 2018, section 3.1): of each word of a held-out
dictionary, whether one of its translations is among the k nearest words of the other language. All
words of the other language compete.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch

from polyglance.errors import ConfigError
from polyglance.vectors.csls import NEIGHBOURS, Neighbours, choose_by_csls, density, nearest
from polyglance.vectors.dictionary import Translations
from polyglance.vectors.space import BilingualSpace

Method = Literal["csls", "cosine"]

RANKS = (1, 5, 10)
_Z = 1.959964  # of 95 %


class Share(NamedTuple):
    """A share of words in percent with its 95 % interval."""

    percent: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Induction:
    """What was found.

    Attributes:
        precision: by k, how many words have a translation among the first k.
        words: asked for; the intervals take them for independent.
        candidates: words of the other language.
        coverage: the share of the dictionary's words that could be asked for.
    """

    precision: dict[int, Share]
    words: int
    candidates: int
    coverage: float


def induce(
    space: BilingualSpace,
    translations: Translations,
    *,
    method: Method = "csls",
    neighbours: int = NEIGHBOURS,
) -> Induction:
    """Translate a dictionary's source words by their nearest neighbours.

    Args:
        space: both languages; CSLS looks at all words of each.
        translations: translations that the space was not made with.
        method: by CSLS or by the cosine alone.
        neighbours: K of CSLS.

    Raises:
        ConfigError: the dictionary has no word that the space knows with a translation.
    """
    if not len(translations.pairs):
        raise ConfigError(
            "no entry of the dictionary has its word and its translation among the vectors; "
            "nothing can be measured"
        )
    asked, place = torch.unique(translations.pairs[:, 0], return_inverse=True)  # (words,), (pairs,)
    found = _found(space, asked, method, neighbours).rows  # (words, k)
    right = (found[place] == translations.pairs[:, 1:]).int()  # (pairs, k)
    hits = torch.zeros(found.shape, dtype=torch.int32).index_add_(0, place, right)  # (words, k)
    ranks = hits.cumsum(dim=1) > 0  # (words, k): one among the first
    precision = {
        k: _share(int(ranks[:, min(k, ranks.shape[1]) - 1].sum()), len(asked)) for k in RANKS
    }
    return Induction(precision, len(asked), len(space.target), translations.coverage)


def _found(
    space: BilingualSpace, asked: torch.Tensor, method: Method, neighbours: int
) -> Neighbours:
    words, others = space.source.unit(), space.target.unit()
    if method == "cosine":
        return nearest(words[asked], others, count=RANKS[-1])
    return choose_by_csls(
        words[asked],
        others,
        density(words[asked], others, neighbours=neighbours),
        density(others, words, neighbours=neighbours),
        count=RANKS[-1],
    )


def _share(successes: int, trials: int) -> Share:
    """Wilson's score interval (1927), which holds near 0 and 100 % too."""
    share, square = successes / trials, _Z * _Z / trials
    centre = (share + square / 2) / (1 + square)
    half = _Z * math.sqrt(share * (1 - share) / trials + square / trials / 4) / (1 + square)
    return Share(100 * share, 100 * max(0.0, centre - half), 100 * min(1.0, centre + half))
