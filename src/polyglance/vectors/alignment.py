"""Two spaces that were trained apart, laid over each other.

Conneau et al., "Word translation without parallel data" (ICLR 2018): an orthogonal map from a
dictionary (section 2.1), then refinement (section 2.2): words that are each other's nearest by
CSLS are a better dictionary, and the map is fitted again. Which round is kept is decided without
a dictionary (section 3.2): how close frequent words lie to the translations that CSLS gives them.

Deviations: vectors are brought to unit length, centred, and to unit length again before, without
which rotations fit worse (Xing et al., NAACL 2015; Artetxe, Labaka and Agirre, EMNLP 2016); of a
word's several translations the most frequent one alone is fitted to, since general dictionaries
list many that a text never means; and the dictionary's pairs stay among those of every round, so
that refinement from small texts cannot wander off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from polyglance.errors import ConfigError
from polyglance.vectors.csls import NEIGHBOURS, choose_by_csls, density
from polyglance.vectors.dictionary import Translations
from polyglance.vectors.procrustes import procrustes
from polyglance.vectors.space import BilingualSpace, WordSpace


class Round(NamedTuple):
    """One fit.

    Attributes:
        pairs: that the map was fitted to.
        criterion: mean cosine of frequent source words and their translations by CSLS.
    """

    pairs: int
    criterion: float


@dataclass(frozen=True, slots=True)
class Alignment:
    """Two spaces in one.

    Attributes:
        space: the source turned, the target as it was, both normalised.
        matrix: (dimension, dimension), what the normalised source was turned by.
        rounds: the fit to the dictionary, then one a refinement.
        kept: which of them it is.
    """

    space: BilingualSpace
    matrix: Tensor
    rounds: list[Round]
    kept: int


def align(
    source: WordSpace,
    target: WordSpace,
    translations: Translations,
    *,
    refinements: int = 5,
    frequent: int = 10_000,
    neighbours: int = NEIGHBOURS,
) -> Alignment:
    """Turn the source towards the target.

    Several languages that are aligned with one target, the same each time, share a space.

    Args:
        source: its words most frequent first.
        target: the same; only normalised.
        translations: to begin with, by row; of a word's several the most frequent one counts.
        refinements: rounds after the first; the paper has five.
        frequent: words of each language that refinement and its criterion look at.
        neighbours: K of CSLS.

    Raises:
        ConfigError: the dimensions differ, or no word of the dictionary is in both spaces.
    """
    if source.dimension != target.dimension:
        raise ConfigError(
            f"vectors of {source.dimension} and of {target.dimension} numbers cannot be aligned; "
            "train both alike"
        )
    if not len(translations.pairs):
        raise ConfigError(
            "no entry of the dictionary has its word and its translation among the vectors; are "
            "the languages in the right order?"
        )
    source, target = normalised(source), normalised(target)
    known = translations.most_frequent().pairs
    pairs, rounds = known, list[Round]()
    kept, kept_matrix = 0, torch.empty(0)
    for number in range(refinements + 1):
        matrix = procrustes(source.vectors[pairs[:, 0]], target.vectors[pairs[:, 1]])
        mutual, criterion = _translate_frequent(
            source.most_frequent(frequent).turned(matrix),
            target.most_frequent(frequent),
            neighbours,
        )
        rounds.append(Round(len(pairs), criterion))
        if number == 0 or criterion > rounds[kept].criterion:
            kept, kept_matrix = number, matrix
        pairs = torch.unique(torch.cat([known, mutual]), dim=0)
    space = BilingualSpace(source.turned(kept_matrix), target)
    return Alignment(space, kept_matrix, rounds, kept)


def normalised(space: WordSpace) -> WordSpace:
    """Unit length, mean zero, and unit length again, by words that have a vector at all."""
    unit = space.unit()
    there = unit.any(dim=1, keepdim=True)  # (words, 1)
    mean = unit.sum(dim=0) / there.sum().clamp(min=1)  # (dimension,)
    return WordSpace(space.words, functional.normalize((unit - mean) * there, dim=1))


def _translate_frequent(
    source: WordSpace, target: WordSpace, neighbours: int
) -> tuple[Tensor, float]:
    """(pairs, 2) of words that are each other's nearest by CSLS; the mean cosine of the nearest."""
    words, meanings = source.vectors, target.vectors
    densities = (
        density(words, meanings, neighbours=neighbours),
        density(meanings, words, neighbours=neighbours),
    )
    forth = choose_by_csls(words, meanings, *densities).rows[:, 0]  # (source words,)
    back = choose_by_csls(meanings, words, *reversed(densities)).rows[:, 0]  # (target words,)
    rows = torch.arange(len(words))
    mutual = back[forth] == rows
    criterion = (words * meanings[forth]).sum(dim=1).mean()
    return torch.stack([rows[mutual], forth[mutual]], dim=1), float(criterion)
