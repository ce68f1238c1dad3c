"""An order of pictures in which those that look alike stand together, another one each epoch.

A loss that compares a picture with the rest of its batch learns little from a small batch of
strangers: any of a picture and a caption of something else are told apart at a glance. Batches of
pictures that look alike are what a model will meet that reranks the best results of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SimilarGroups:
    """Random groups of pictures that look alike.

    All pictures are split in halves across the line between two of them that are drawn, each half
    likewise, until groups are small: a random projection tree (Dasgupta & Freund, STOC 2008) with
    the splitting rule of the Annoy library. Each picture is in one group of each draw, and near
    pictures are seldom far apart in all of them.

    Args:
        vectors: (pictures, dim), near for pictures that look alike.
        size: of a group at most; more than half of it at least.

    Raises:
        ValueError: the size is not positive.
    """

    def __init__(self, vectors: NDArray[np.float32], *, size: int) -> None:
        if size < 1:
            raise ValueError(f"a group of {size} pictures is none")
        self._vectors, self._size = vectors, size

    def order(self, random: np.random.Generator) -> NDArray[np.int64]:
        """(pictures,) their places, group behind group, the groups in random order."""
        import numpy as np

        groups = self._split(random.permutation(len(self._vectors)), random)
        return np.concatenate([groups[i] for i in random.permutation(len(groups))])

    def _split(
        self, places: NDArray[np.int64], random: np.random.Generator
    ) -> list[NDArray[np.int64]]:
        if len(places) <= self._size:
            return [places]
        one, other = self._vectors[places[random.choice(len(places), 2, replace=False)]]
        along = self._vectors[places] @ (one - other)  # (places,)
        sorted_places, half = places[along.argsort(kind="stable")], len(places) // 2
        return [
            *self._split(sorted_places[:half], random),
            *self._split(sorted_places[half:], random),
        ]
