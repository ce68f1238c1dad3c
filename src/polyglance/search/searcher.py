"""Asking a collection, with the model that filled it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from polyglance.errors import QueryError
from polyglance.search.batching import TextBatcher
from polyglance.search.calibration import LEAST_ROWS, Calibrator
from polyglance.search.caption_words import words_of_text
from polyglance.search.collection import Collection
from polyglance.search.encoder import Encoder
from polyglance.search.filters import EVERYTHING, Filters
from polyglance.search.hit import ITSELF, Hit, hit_of
from polyglance.search.hybrid import DEPTH, FoundBy, fused_best, rank_both_ways
from polyglance.search.lance import reading
from polyglance.search.nearest import Neighbour, Neighbours
from polyglance.search.newest import newest
from polyglance.search.paging import check_page
from polyglance.search.query import Query, language_warning
from polyglance.search.query_pictures import QueryPictures
from polyglance.search.relevance import check_relevance
from polyglance.search.terms import NOT_GIVEN, Term
from polyglance.search.text_index import has_captions

if TYPE_CHECKING:
    from statistics import NormalDist

    from numpy.typing import NDArray
    from PIL import Image

    from polyglance.vision.heat_map import HeatMap

# Decoding a large PNG takes more than a gigabyte: no more than this many at a time.
DECODED_AT_ONCE = 2
# A sum of unit vectors that is so short, beside the weights, has no direction but noise.
VANISHING = 1e-4


class Searcher:
    """A collection with the model that filled it, ready for questions from several threads.

    Args:
        collection: open for reading.
        encoder: the model that filled it.
        tells_places: whether hits say where they were taken, and may be asked for by that.
        on_batch: told how many texts of questions are encoded at once, each time.

    Attributes:
        decoding: held by whoever decodes a picture to answer a question.

    Raises:
        CollectionError: it is not that model.
        ModelError: the model has no embeddings that could be searched.
    """

    def __init__(
        self,
        collection: Collection,
        encoder: Encoder,
        *,
        tells_places: bool = True,
        on_batch: Callable[[int], object] = lambda _texts: None,
    ) -> None:
        encoder.require_embeddings()
        collection.check_model(name=encoder.name, fingerprint=encoder.fingerprint)
        self.collection = collection
        self.encoder = encoder
        self.tells_places = tells_places
        self.neighbours = Neighbours(collection)
        self.decoding = threading.BoundedSemaphore(DECODED_AT_ONCE)
        self._encoding = threading.Lock()
        self._texts = TextBatcher(
            lambda texts, tags: encoder.encode_texts(texts, language=tags),
            encoding=self._encoding,
            on_batch=on_batch,
        )
        self._pictures = QueryPictures(encoder, encoding=self._encoding, decoding=self.decoding)
        self._calibrator = Calibrator(collection, self._encode_texts)

    def warm_up(self) -> None:
        """Do once what the first question would otherwise wait for."""
        size = self.encoder.preprocessing.size
        self.encoder.encode_pixels(np.zeros((1, 3, size, size), dtype=np.uint8))
        self.search(self.understand(Query.of("warm up")), top=1)

    def understand(self, query: Query) -> Query:
        """The query with the languages that were not given guessed, those of the model first.

        What is certain is given to the model; of the rest it is told, as without a guess, that the
        language is not known. See :mod:`polyglance.text.language_guess`.
        """
        return query.understood(self.encoder.languages)

    def search(
        self,
        query: Query,
        *,
        top: int = 10,
        offset: int = 0,
        filters: Filters = EVERYTHING,
        hybrid: bool = False,
        min_relevance: float = 0.0,
        others: bool = False,
    ) -> list[Hit]:
        """The ``top`` best pictures and videos, best first; a video with its best moment.

        Their relevance is known where the query is words alone, and the collection not too small.

        Args:
            query: what is looked for.
            top: how many hits; fewer only where fewer pass the filters.
            offset: how many are left out before them. Equal scores are in the order of ids, so
                that no picture is on two pages, or on none, while the collection stays as it is.
            filters: which pictures are compared with the query at all.
            hybrid: rank by the words of captions as well, see :mod:`polyglance.search.hybrid`;
                the score stays the cosine, and is not what the hits are ordered by.
            min_relevance: of a hit, 0 to 1; what was found by its captions has none to reach.
            others: leave out the pictures of the collection that the query names.

        Raises:
            QueryError: a number is out of range; ``hybrid`` is asked for with a query whose words
                cannot be looked for, or of a collection without captions; ``min_relevance`` is
                above 0 where relevance is not known; places are not told, and the filters ask for
                one; or a picture that the query names is not in the collection.
            PictureError: the query's picture cannot be read.
        """
        check_page(top, offset)
        check_relevance(min_relevance)
        words = _words_for_captions(query, offset + top) if hybrid else ""
        self.neighbours.follow()
        named = self._named(query) if others else set()
        vector = self.embed(query)
        background = self._background(query, vector)
        if background is None and min_relevance > 0:
            raise QueryError(
                "relevance is known where a query is words alone and the collection has {count} "
                "pictures or more: ask without a least relevance",
                count=LEAST_ROWS,
            )
        last = offset + top + len(named)
        if hybrid:
            # Their order is not that of relevance: both rankings are judged before a page is cut.
            depth = 2 * DEPTH if min_relevance > 0 else last
            found = self._hybrid_hits(words, vector, depth, filters)
        else:
            found = self._hits(vector, last, filters)
        hits = [hit for hit in found if hit.path not in named]
        if background is not None:
            judged = (replace(hit, relevance=background.cdf(hit.score)) for hit in hits)
            hits = [hit for hit in judged if hit.is_relevant(min_relevance)]
        return hits[offset : offset + top]

    @property
    def has_captions(self) -> bool:
        """Whether words can be looked for in captions, too."""
        self.neighbours.follow()
        with reading(self.collection.folder):
            return has_captions(self.collection.pictures)

    def matching(self, filters: Filters = EVERYTHING) -> int:
        """How many pictures and videos of the collection pass the filters."""
        return self.neighbours.matching(self._where(filters))

    def similar(
        self, picture_id: str, *, top: int = 10, offset: int = 0, filters: Filters = EVERYTHING
    ) -> list[Hit]:
        """The ``top`` pictures most like one of the collection, itself left out.

        Raises:
            QueryError: there is no such picture, or ``top`` or ``offset`` is out of range.
        """
        query = Query.combined([Term.of(picture=picture_id)])
        return self.search(query, top=top, offset=offset, filters=filters, others=True)

    def picture(self, picture_id: str) -> Hit | None:
        """One picture, or frame, of the collection by its id, or ``None``."""
        row = self.neighbours.row(picture_id) if _is_id(picture_id) else None
        return self._hit(Neighbour(row, ITSELF)) if row else None

    def compare(self, picture_id: str, query: Query) -> Hit:
        """One picture of the collection as a hit, with its score for a query.

        Raises:
            QueryError: there is no such picture.
            PictureError: the query's picture cannot be read.
        """
        hit = self.picture(picture_id)
        embedding = None if hit is None else self.neighbours.embedding(picture_id)
        if hit is None or embedding is None:
            raise _absent(picture_id)
        return replace(hit, score=float(embedding @ self.embed(query)))

    @property
    def explains(self) -> bool:
        """Whether the model can say where in a picture a text is."""
        return self.encoder.localises

    def explain(self, picture: Image.Image, query: Query) -> HeatMap:
        """Where in a picture the model sees the words of a query.

        Raises:
            QueryError: the query has no words.
            ModelError: the model sees pictures only as a whole.
        """
        if query.text is None:
            raise QueryError("only words can be looked for within a picture")
        language = None if query.language == NOT_GIVEN else query.language
        with self._encoding:
            return self.encoder.explain(picture, query.text, language=language)

    def sample(self, count: int, *, filters: Filters = EVERYTHING) -> list[Hit]:
        """Up to ``count`` pictures from all over the collection, always the same ones."""
        rows = self.neighbours.sample(count, where=self._where(filters))
        return [self._hit(Neighbour(row, ITSELF)) for row in rows]

    def newest(self, *, top: int = 10, offset: int = 0, filters: Filters = EVERYTHING) -> list[Hit]:
        """The ``top`` pictures that were taken last: see :func:`polyglance.search.newest.newest`.

        Raises:
            QueryError: a number is out of range, or places are not told and ``filters`` ask for
                one.
        """
        self._where(filters)
        self.neighbours.follow()
        return newest(
            self.collection, top=top, offset=offset, filters=filters, places=self.tells_places
        )

    def language_warning(self, language: str) -> str | None:
        """A sentence where the model was trained on known languages and this is none of them."""
        return language_warning(language, self.encoder.languages)

    def embed(self, query: Query) -> NDArray[np.float32]:
        """(dimension,) of unit length: the direction of the weighted sum of the parts' embeddings.

        Raises:
            QueryError: the parts cancel one another out, or one is not in the collection.
            PictureError: a picture cannot be read.
        """
        texts = self._embed_texts(query.texts)
        parts = [
            term.weight * (self._embed_picture_of(term) if term.text is None else next(texts))
            for term in query.terms
        ]
        total = np.sum(parts, axis=0, dtype=np.float32)  # (dimension,)
        length = float(np.linalg.norm(total))
        if length < VANISHING * sum(abs(term.weight) for term in query.terms):
            raise QueryError(
                "the parts of the query cancel one another out: {query}; change a weight, or "
                "leave a part out",
                query=query,
            )
        return np.asarray(total / length, dtype=np.float32)

    def _background(self, query: Query, vector: NDArray[np.float32]) -> NormalDist | None:
        """What the best picture scores where nothing matches, if that is known."""
        calibration = self._calibrator.current() if query.all_words else None
        return None if calibration is None else calibration.background(vector)

    def _encode_texts(self, texts: Sequence[str], languages: Sequence[str]) -> NDArray[np.float32]:
        with self._encoding:
            return self.encoder.encode_texts(texts, language=languages)

    def _named(self, query: Query) -> set[Path]:
        ids = [term.picture for term in query.terms if term.picture is not None]
        return {hit.path for hit in map(self.picture, ids) if hit is not None}

    def _embed_texts(self, terms: Sequence[Term]) -> Iterator[NDArray[np.float32]]:
        """The embedding of each text; of all of them at once, and of other questions' with them."""
        if terms:
            texts = [term.text or "" for term in terms]
            yield from self._texts.encode(texts, [term.language for term in terms])

    def _embed_picture_of(self, term: Term) -> NDArray[np.float32]:
        if term.image is not None:
            return self._pictures.embed(term.image)
        key = term.picture or ""
        embedding = self.neighbours.embedding(key) if _is_id(key) else None
        if embedding is None:
            raise _absent(key)
        return embedding

    def _where(self, filters: Filters) -> str | None:
        if filters.near is not None and not self.tells_places:
            raise QueryError("places are not told here: ask without near")
        return filters.expression()

    def _hits(self, vector: NDArray[np.float32], top: int, filters: Filters) -> list[Hit]:
        found = self.neighbours.nearest(vector, top=top, where=self._where(filters))
        return [self._hit(each) for each in found]

    def _hybrid_hits(
        self, words: str, vector: NDArray[np.float32], top: int, filters: Filters
    ) -> list[Hit]:
        where = self._where(filters)
        rankings = rank_both_ways(self.neighbours, vector, words, where=where)
        page = fused_best(self.collection, vector, rankings, top=top)
        return [self._hit(neighbour, found_by) for neighbour, found_by in page]

    def _hit(self, neighbour: Neighbour, found_by: FoundBy | None = None) -> Hit:
        row, score = neighbour
        return hit_of(
            self.collection, row, score=score, places=self.tells_places, found_by=found_by
        )


def _words_for_captions(query: Query, last: int) -> str:
    """What is looked for in captions, up to the ``last`` result; refuses before anything runs."""
    if last > DEPTH + 1:  # one more tells whether there are more
        raise QueryError(
            "a hybrid search ends with the {depth}th result: lower the offset, or search without "
            "hybrid",
            depth=DEPTH,
        )
    return " ".join(map(words_of_text, query.wanted_texts()))


def _absent(picture_id: str) -> QueryError:
    return QueryError("there is no picture {id!r} in this collection", id=picture_id)


def _is_id(text: str) -> bool:
    return len(text) == 16 and set(text) <= set("0123456789abcdef")
