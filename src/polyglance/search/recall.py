"""How much of what exact search would find a collection's search finds, asked by texts.

Texts lie in another region of the space than pictures do: an index that answers queries by picture
well may miss what texts ask for, in one language more than in another.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyglance.data.record import Record
from polyglance.errors import CollectionError, QueryError
from polyglance.progress import track
from polyglance.search.collection import Collection
from polyglance.search.encoder import Encoder
from polyglance.search.nearest import Neighbours
from polyglance.search.schema import embeddings_of
from polyglance.search.vector_index import EXACT_UP_TO

Files = dict[str, float]  # a file's id → its cosine with a query

TOP = 10
EQUAL = 1e-5  # cosines are summed in another order by the index


class Measured(NamedTuple):
    """Of some queries: how many, what was found, and how long it took.

    Attributes:
        queries: how many.
        recall: share of the exact best ten files that were among the ten found; a file that is as
            near as the tenth counts as one of them.
        search: median and 95th percentile of a search, in milliseconds.
        whole: likewise, with the encoding of the text.
    """

    queries: int
    recall: float
    search: tuple[float, float]
    whole: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """What :func:`measure_recall` found.

    Attributes:
        total: over all queries.
        languages: by tag, in the manifest's order.
    """

    total: Measured
    languages: dict[str, Measured]

    @property
    def worst(self) -> str:
        """The language with the least recall."""
        return min(self.languages, key=lambda tag: self.languages[tag].recall)


def measure_recall(
    collection: Collection,
    encoder: Encoder,
    captions: Mapping[str, Sequence[str]],
    *,
    exact_up_to: int = EXACT_UP_TO,
    show_progress: bool = False,
) -> Recall:
    """Ask a collection with captions, and compare with every row in its place.

    Args:
        collection: open for reading.
        encoder: the model that filled it.
        captions: language tag → texts, at least one; see :func:`captions_of`.
        exact_up_to: as of :class:`polyglance.search.nearest.Neighbours`.
        show_progress: on stderr.

    Raises:
        CollectionError: it is empty, damaged, or another model filled it.
        ModelError: the model has no embeddings that could be searched.
    """
    encoder.require_embeddings()
    collection.check_model(name=encoder.name, fingerprint=encoder.fingerprint)
    files = collection.files()
    if not files:
        raise CollectionError(f"{collection.folder} is empty; there is nothing to find")
    asked = [(tag, text) for tag, texts in captions.items() for text in texts]
    neighbours = Neighbours(collection, exact_up_to=exact_up_to)
    neighbours.nearest(encoder.encode_texts([asked[0][1]])[0], top=TOP)  # loads what all need
    vectors, hits, times = _ask(neighbours, encoder, asked, show_progress=show_progress)
    best = _exact(collection, vectors, top=min(TOP, files))
    found = np.array([_share(*pair) for pair in zip(hits, best, strict=True)])  # (queries,)
    tags = np.array([tag for tag, _ in asked])
    return Recall(
        total=_measured(found, times),
        languages={tag: _measured(found[tags == tag], times[tags == tag]) for tag in captions},
    )


def captions_of(
    records: Iterable[Record], *, languages: Sequence[str] = (), most: int
) -> dict[str, list[str]]:
    """Language tag → captions of a manifest, evenly spaced where there are more than ``most``.

    Raises:
        QueryError: there are none, or none in one of ``languages``.
    """
    listed: dict[str, list[str]] = {}
    for record in records:
        for tag, texts in record.captions.items():
            listed.setdefault(tag, []).extend(texts)
    if not listed:
        raise QueryError("the manifest has no captions to ask with")
    for tag in languages:
        if tag not in listed:
            raise QueryError(f"the manifest has no captions in {tag!r}, but in {', '.join(listed)}")
    return {tag: _spread(listed[tag], most) for tag in languages or listed}


def _spread(texts: Sequence[str], most: int) -> list[str]:
    places = np.linspace(0, len(texts) - 1, min(most, len(texts))).round().astype(np.int64)
    return [texts[place] for place in places]


def _ask(
    neighbours: Neighbours,
    encoder: Encoder,
    asked: Sequence[tuple[str, str]],
    *,
    show_progress: bool,
) -> tuple[NDArray[np.float32], list[Files], NDArray[np.float64]]:
    """One query at a time, as users ask.

    Returns:
        The queries' embeddings, (queries, dimension); what each found; and (queries, 2)
        milliseconds, of the search, and of it with the encoding.
    """
    vectors = np.empty((len(asked), encoder.dimension), dtype=np.float32)
    found: list[Files] = []
    times = np.empty((len(asked), 2))
    with track("queries", len(asked), show=show_progress) as advance:
        for i, (tag, text) in enumerate(asked):
            started = time.perf_counter()
            vectors[i] = encoder.encode_texts([text], language=tag)[0]
            encoded = time.perf_counter()
            hits = neighbours.nearest(vectors[i], top=TOP)
            ended = time.perf_counter()
            found.append({hit.row["file"]: hit.score for hit in hits})
            times[i] = 1e3 * (ended - encoded), 1e3 * (ended - started)
            advance(1)
    return vectors, found, times


def _share(found: Files, best: Files) -> float:
    """Of the best files, how many were found, or others in their place that are as near."""
    least = min(best.values()) - EQUAL
    return sum(file in best or score >= least for file, score in found.items()) / len(best)


def _exact(collection: Collection, vectors: NDArray[np.float32], *, top: int) -> list[Files]:
    """The ``top`` best files of each query, by comparing every row."""
    best: list[Files] = [{} for _ in vectors]
    for batch in collection.batches(["file", "embedding"]):
        rows = embeddings_of(batch)
        names, files = np.unique(batch.column("file").to_pylist(), return_inverse=True)
        order = np.argsort(files, kind="stable")
        starts = np.searchsorted(files[order], np.arange(len(names)))
        # (queries, rows) → (queries, files): of a video, its best frame
        scores = np.maximum.reduceat((vectors @ rows.T)[:, order], starts, axis=1)
        keep = min(top, len(names))
        leading = np.argpartition(-scores, keep - 1, axis=1)[:, :keep]
        for query, places in enumerate(leading):
            _merge(best[query], zip(names[places], scores[query, places], strict=True), top)
    return best


def _merge(best: Files, found: Iterable[tuple[str, float]], top: int) -> None:
    """Keep the ``top`` best files; each with its best row."""
    for name, score in found:
        best[name] = max(score, best.get(name, -np.inf))
    for name in sorted(best, key=best.__getitem__)[: max(0, len(best) - top)]:
        del best[name]


def _measured(found: NDArray[np.float64], times: NDArray[np.float64]) -> Measured:
    (search, whole) = np.percentile(times, [50, 95], axis=0).T  # each (2,)
    return Measured(
        queries=len(found),
        recall=float(found.mean()),
        search=(float(search[0]), float(search[1])),
        whole=(float(whole[0]), float(whole[1])),
    )
