"""Several bilingual spaces as one, through the language that they have in common.

Portaz et al., "Image search using multilingual texts" (2019), train pairs of languages jointly,
always with English, and lay the pairs over each other by their English halves.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from polyglance.errors import ConfigError
from polyglance.vectors.procrustes import procrustes
from polyglance.vectors.space import BilingualSpace, WordSpace


def join(spaces: Sequence[BilingualSpace]) -> list[WordSpace]:
    """Turn each space so that its source words lie on those of the first.

    The shared language's words are pairs of themselves, which is a dictionary without errors; both
    halves of a space are turned alike, so that no angle within it changes. In the joined space a
    word of the shared language is the mean of its unit vectors in the spaces that have it.

    Args:
        spaces: the shared language is the source of each. Vectors are brought to unit length.

    Returns:
        The shared language, its words in the order of the first space and then of the others, and
        the target of each space in turn.

    Raises:
        ConfigError: the dimensions differ, or a space shares no word with the first.
        ValueError: there is no space.
    """
    if not spaces:
        raise ValueError("no spaces to join")
    first = spaces[0].source
    anchors, rows = first.unit(), first.rows()
    shared, targets = list[WordSpace](), list[WordSpace]()
    for number, space in enumerate(spaces, start=1):
        if space.source.dimension != first.dimension:
            raise ConfigError(
                f"space {number} has vectors of {space.source.dimension} numbers, the first of "
                f"{first.dimension}; train all alike"
            )
        own = space.source.rows()
        both = [word for word in own if word in rows]
        if not both:
            raise ConfigError(f"space {number} shares no word with the first; is it the language?")
        unit = space.source.unit()
        matrix = procrustes(
            unit[[own[word] for word in both]], anchors[[rows[word] for word in both]]
        )
        shared.append(WordSpace(space.source.words, unit).turned(matrix))
        targets.append(WordSpace(space.target.words, space.target.unit()).turned(matrix))
    return [_mean(shared), *targets]


def _mean(spaces: Sequence[WordSpace]) -> WordSpace:
    """Unit means of the words that several spaces have."""
    words = list(dict.fromkeys(word for space in spaces for word in space.words))
    rows = {word: row for row, word in enumerate(words)}
    sums: Tensor = torch.zeros(len(words), spaces[0].dimension)
    for space in spaces:
        places = torch.tensor([rows[word] for word in space.words], dtype=torch.int64)
        sums.index_add_(0, places, space.vectors)
    return WordSpace(words, functional.normalize(sums, dim=1))
