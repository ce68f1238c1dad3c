"""A second model over the best of a collection: it looks at the pictures again, with the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from polyglance.data.ahead import decoded_batches
from polyglance.data.video import open_shown
from polyglance.errors import PictureError, QueryError
from polyglance.features import joined
from polyglance.search.filters import EVERYTHING, Filters
from polyglance.search.hit import Hit
from polyglance.search.paging import MAX_TOP
from polyglance.search.query import Query
from polyglance.search.searcher import Searcher
from polyglance.search.terms import NOT_GIVEN

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from polyglance.features import Features
    from polyglance.reranker import Reranker

TOP = 64
PICTURES_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankedHit:
    """A picture that was found, in its new place.

    Attributes:
        hit: with the score of the model that filled the collection.
        rank: that it had in the first order, from 1.
        score: that it was ordered by, the second model's + weight · the first's; ``None`` where
            the picture stood too far behind to be looked at.
    """

    hit: Hit
    rank: int
    score: float | None


class RerankedHits(NamedTuple):
    """What was found twice.

    Attributes:
        hits: best first: those looked at by the second score, then the others as they were.
        gone: pictures of the collection that cannot be read any more, and why; they are no hits.
    """

    hits: list[RerankedHit]
    gone: list[tuple[Path, str]]


def search_and_rerank(
    searcher: Searcher,
    reranker: Reranker,
    query: Query,
    *,
    top: int = 10,
    rerank_top: int = TOP,
    weight: float = 0.0,
    filters: Filters = EVERYTHING,
    offset: int = 0,
    hybrid: bool = False,
    min_relevance: float = 0.0,
) -> RerankedHits:
    """The ``top`` best pictures: the first ``rerank_top`` of the collection in a second order.

    Args:
        searcher: of the collection.
        reranker: compares the query's words with each of these pictures, read from their files.
        query: one text.
        top: how many hits.
        rerank_top: how many pictures are looked at.
        weight: of the first model's scores, which are added to the second's.
        filters: which pictures are searched at all.
        offset: how many hits, in the second order, are left out before them.
        hybrid: as of :meth:`Searcher.search`, for the first order.
        min_relevance: of the pictures that are ordered, by the first model.

    Raises:
        QueryError: the query is more than one text, or a number is out of range.
    """
    text = require_words(query)
    if not 1 <= top <= MAX_TOP:
        raise QueryError(f"the number of results must be between 1 and {MAX_TOP}")
    if not 0 <= offset <= MAX_TOP - top:
        raise QueryError(f"with reranking the last result is the {MAX_TOP}th: lower the offset")
    if not 1 <= rerank_top <= MAX_TOP:
        raise QueryError(f"the number of reranked results must be between 1 and {MAX_TOP}")
    found = searcher.search(
        query,
        top=max(offset + top, rerank_top),
        filters=filters,
        hybrid=hybrid,
        min_relevance=min_relevance,
    )
    ranked = list(enumerate(found, start=1))
    images, kept, gone = _read(reranker, found[:rerank_top])
    language = None if query.language == NOT_GIVEN else query.language
    reranked = []
    if images is not None:
        first = [found[row].score for row in kept]
        for row, score in reranker.rerank(
            text, images, language=language, first=first, weight=weight
        ):
            rank, hit = ranked[kept[row]]
            reranked.append(RerankedHit(hit=hit, rank=rank, score=score))
    behind = [RerankedHit(hit=hit, rank=rank, score=None) for rank, hit in ranked[rerank_top:]]
    return RerankedHits((reranked + behind)[offset : offset + top], gone)


def require_words(query: Query) -> str:
    """The words of a query that has nothing else.

    Raises:
        QueryError: there is a picture in it, a second text, or a minus.
    """
    if query.text is None or not query.only_words:
        raise QueryError(
            "a second model compares words with pictures, one text at a time, and its scores "
            "cannot be added like embeddings: ask with one text alone, or without reranking"
        )
    return query.text


def _read(
    reranker: Reranker, hits: Sequence[Hit]
) -> tuple[Features | None, list[int], list[tuple[Path, str]]]:
    """Encoded pictures, ``None`` without any; their rows in ``hits``; and what is gone.

    Of a video, the frame that was found is a picture like the others.
    """
    encoder = reranker.encoder

    def decode(hit: Hit) -> NDArray[np.uint8]:
        picture = open_shown(
            hit.path, moment=hit.moment, target_size=encoder.preprocessing.decode_size
        )
        return encoder.preprocessing(picture)

    parts, kept, gone = [], [], []
    for batch in decoded_batches(hits, decode, batch_size=PICTURES_AT_ONCE):
        pixels = []
        for row, outcome in batch:
            if isinstance(outcome, PictureError):
                path = hits[row].path
                gone.append((path, str(outcome).removeprefix(f"{path}: ")))
            else:
                kept.append(row)
                pixels.append(outcome)
        if pixels:
            parts.append(encoder.pixel_features(np.stack(pixels)).halved())
    return (joined(parts) if parts else None), kept, gone
