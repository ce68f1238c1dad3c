"""How well a picture matches words: its cosine beside what a search for nothing brings up.

Whatever is asked, some picture comes first. How high its cosine then is depends on the model, on
the collection and its size, on the language, and on whether one word was asked or a sentence. So a
collection is asked with texts that no picture shows (``references.json``: terms of law, grammar
and finance, sentences about them, in several languages), and remembers the best cosine of each.
The 16 of them that the model finds most like a query say what its best picture would score if
there were nothing to find: a normal distribution around their mean, as wide as references differ
from the mean of those most like them. The relevance of a picture is that distribution's share
below its cosine: 0.9 is reached by the best picture for one in ten such queries.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from polyglance.errors import QueryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyglance.search.hit import Hit

# Where the best picture has less, nothing is said to match.
GOOD = 0.9
# References that a query is compared with.
NEIGHBOURS = 16
# Two cosines that differ by less are one: with a model that scores all references alike, say.
LEAST_SPREAD = 1e-3


class Calibration:
    """What a collection's best pictures score for texts that match none.

    Args:
        references: (texts, dimension) their embeddings, of unit length.
        best: (texts,) the best cosine of each in the collection.

    Attributes:
        spread: standard deviation of what a reference's best cosine is not told by its neighbours.
    """

    def __init__(self, references: NDArray[np.float32], best: NDArray[np.float32]) -> None:
        self.references = references
        self.best = best
        alike = references @ references.T  # (texts, texts)
        np.fill_diagonal(alike, -np.inf)
        means = best[_nearest(alike)].mean(axis=1)  # (texts,)
        self.spread = max(float(np.sqrt(np.mean((best - means) ** 2))), LEAST_SPREAD)

    def background(self, vector: NDArray[np.float32]) -> NormalDist:
        """Distribution of the best cosine of a query that matches nothing.

        Args:
            vector: (dimension,) the query, of unit length.
        """
        near = self.best[_nearest(self.references @ vector)]  # (neighbours,)
        return NormalDist(float(near.mean()), self.spread)


def nothing_matches(hits: list[Hit]) -> bool:
    """Whether none of the hits, the best there are, is relevant enough to be called a match.

    Where relevance is not known, that cannot be said.
    """
    return bool(hits) and not any(hit.is_relevant(GOOD) for hit in hits)


def check_relevance(least: float) -> None:
    """Refuse what is no relevance.

    Raises:
        QueryError: it is not between 0 and 1.
    """
    if not 0 <= least <= 1:
        raise QueryError(f"the least relevance is {least:g}, but must be between 0 and 1")


@cache
def reference_texts() -> tuple[tuple[str, str], ...]:
    """(language, text) of every reference."""
    import json

    content = resources.files("polyglance.search").joinpath("references.json").read_text("utf-8")
    return tuple((tag, text) for tag, texts in json.loads(content).items() for text in texts)


def _nearest(alike: NDArray[np.float32]) -> NDArray[np.intp]:
    """(…, texts) → (…, neighbours): where the largest values of each row are."""
    few = min(NEIGHBOURS, alike.shape[-1])
    return np.argpartition(-alike, few - 1, axis=-1)[..., :few]
