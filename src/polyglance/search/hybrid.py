"""Two rankings of a collection, by vectors and by the words of captions, as one.

Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): a file's score is the sum, over
the rankings that it is in, of 1 / (k + rank), with their k = 60. Ranks alone count, so that a
cosine and a BM25 score need no common scale. As in the paper's runs, a ranking is its best 1,000:
the fused list is the same whichever page of it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from polyglance.errors import QueryError
from polyglance.search.collection import Collection
from polyglance.search.lance import reading
from polyglance.search.nearest import Neighbour, Neighbours
from polyglance.search.text_index import files_by_words, has_captions

if TYPE_CHECKING:
    from numpy.typing import NDArray

K = 60
DEPTH = 1000


class FoundBy(NamedTuple):
    """A file's rank in each ranking, from 1; ``None`` where it is not among the best 1,000."""

    vector: int | None
    text: int | None

    def __str__(self) -> str:
        """As a message shows it: ``vectors 3, captions 1``."""
        ranks = {"vectors": self.vector, "captions": self.text}
        return ", ".join(f"{name} {rank}" for name, rank in ranks.items() if rank is not None)


class Rankings(NamedTuple):
    """The best files by vectors, with their best rows, and the ids of the best by words."""

    vector: list[Neighbour]
    text: list[str]


def rank_both_ways(
    neighbours: Neighbours, vector: NDArray[np.float32], words: str, *, where: str | None = None
) -> Rankings:
    """Ask a collection by a vector and by words, among them none that most captions have.

    Args:
        neighbours: of the collection.
        vector: (dimension,) of unit length.
        words: of the query, see :mod:`polyglance.search.caption_words`.
        where: LanceDB expression; only rows that it holds for are ranked.

    Raises:
        QueryError: no picture of the collection has a caption.
    """
    collection = neighbours.collection
    nearest = neighbours.nearest(vector, top=DEPTH, where=where)
    with reading(collection.folder):
        telling = neighbours.common_words.without(words, collection.pictures)
        files = files_by_words(collection.pictures, telling, top=DEPTH, where=where)
        if not files and not has_captions(collection.pictures):
            raise QueryError(
                "no picture of this collection has a caption that words could be looked for in: "
                "index a manifest with captions, or search without hybrid"
            )
    return Rankings(nearest, files)


def fuse(rankings: Sequence[Sequence[str]]) -> list[str]:
    """What is in any of the rankings, by reciprocal rank fusion; ties by id.

    Args:
        rankings: ids, best first, none twice in one.
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, key in enumerate(ranking, start=1):
            scores[key] = scores.get(key, 0.0) + 1 / (K + rank)
    return sorted(scores, key=lambda key: (-scores[key], key))


def fused_best(
    collection: Collection,
    vector: NDArray[np.float32],
    rankings: Rankings,
    *,
    top: int,
) -> list[tuple[Neighbour, FoundBy]]:
    """The best of the fused ranking, each file with its best row and the ranks it was found by.

    Args:
        collection: that was ranked.
        vector: (dimension,) of unit length, that it was ranked by.
        rankings: of it.
        top: how many files.
    """
    nearest = {each.row["file"]: each for each in rankings.vector}
    vector_ranks = {file: rank for rank, file in enumerate(nearest, start=1)}
    text_ranks = {file: rank for rank, file in enumerate(rankings.text, start=1)}
    page = fuse([list(vector_ranks), list(text_ranks)])[:top]
    by_words_alone = collection.rows_of_files(file for file in page if file not in nearest)
    nearest |= {file: _nearest_of(rows, vector) for file, rows in by_words_alone.items()}
    # A writer may have taken a file out since it was ranked.
    return [
        (nearest[file], FoundBy(vector_ranks.get(file), text_ranks.get(file)))
        for file in page
        if file in nearest
    ]


def _nearest_of(rows: Sequence[dict[str, Any]], vector: NDArray[np.float32]) -> Neighbour:
    """The row of a file, as of a video's frames, that is nearest to a vector."""
    cosines = np.array([row["embedding"] for row in rows], dtype=np.float32) @ vector  # (rows,)
    best = int(cosines.argmax())
    return Neighbour(rows[best], float(cosines[best]))
