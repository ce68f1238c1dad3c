"""The pictures nearest to a vector: exactly while the collection is small, by its index beyond."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from polyglance.search.collection import first_of_files
from polyglance.search.common_words import CommonWords
from polyglance.search.hit import HIT_COLUMNS
from polyglance.search.lance import reading
from polyglance.search.schema import PLACE_COLUMNS, embeddings_of, row_shown
from polyglance.search.vector_index import ALL_PARTITIONS, EXACT_UP_TO, partitions_probed

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from polyglance.search.collection import Collection

# Looking for a newer version takes a millisecond on disk, and on a store some requests; no need to
# do it for every query.
SECONDS_BETWEEN_LOOKS = 1.0
# What a hit tells, and what is compared, in few columns: each takes its time.
COLUMNS_BY_INDEX = ["shown", "captions", *PLACE_COLUMNS, "embedding"]
# So many filters of late are remembered with what passes them.
FILTERS_KEPT = 32
# Where the frames of few videos fill the best rows, so many times more are looked at.
WIDER = 4
# How many an index is asked for, at least, and then four times as many, and so on: what it finds
# depends on how many are wanted, and the pages of one search must be cut from one list. Since it
# lists by approximate scores, the list has to be so many times longer than what is cut from it.
LISTED, SPARE = 64, 1.5


class Neighbour(NamedTuple):
    """A row of the collection and its cosine with the query."""

    row: dict[str, Any]
    score: float


class _Resident(NamedTuple):
    """A small collection in memory: ``embeddings`` is (rows, dimension), of unit rows.

    ``passing`` has the row numbers that filters let pass, by LanceDB expression.
    """

    rows: pa.Table
    embeddings: NDArray[np.float32]
    passing: dict[str, NDArray[np.intp]]


class Neighbours:
    """Finds neighbours in a collection, following its changes; safe to share between threads.

    Args:
        collection: open for reading.
        exact_up_to: collections of at most so many rows are kept in memory and searched exactly.

    Attributes:
        common_words: of the collection's captions.
    """

    def __init__(self, collection: Collection, *, exact_up_to: int = EXACT_UP_TO) -> None:
        self.collection = collection
        self.exact_up_to = exact_up_to
        self.common_words = CommonWords()
        self._lock = threading.Lock()
        self._version = -1
        self._looked = -SECONDS_BETWEEN_LOOKS
        self._resident: _Resident | None = None
        self._probed = 1

    def nearest(
        self, vector: NDArray[np.float32], *, top: int, where: str | None = None
    ) -> list[Neighbour]:
        """The best row of each of the ``top`` best files, best first; ties by id.

        Args:
            vector: (dimension,) of unit length.
            top: how many files.
            where: LanceDB expression; only rows that it holds for are compared.
        """
        wanted = top
        while True:
            found = self._nearest_rows(vector, wanted, where)
            best = _best_of_each_file(found)
            if len(best) >= top or len(found) < wanted:
                return best[:top]
            wanted *= WIDER

    def _nearest_rows(
        self, vector: NDArray[np.float32], top: int, where: str | None
    ) -> list[Neighbour]:
        resident = self._current()
        if resident is None:
            return self._by_index(vector, top, where)
        scores = resident.embeddings @ vector  # (rows,)
        if where is None:
            best = _best(scores, top)
        else:
            passing = self._passing(resident, where)
            best = passing[_best(scores[passing], top)]
        rows = resident.rows.take(best).to_pylist()
        found = [Neighbour(row, float(scores[i])) for row, i in zip(rows, best, strict=True)]
        return sorted(found, key=_by_score_then_id)[:top]

    def row(self, picture_id: str) -> dict[str, Any] | None:
        """One row without its embedding, or ``None``."""
        resident = self._current()
        if resident is None:
            return self.collection.rows([picture_id], HIT_COLUMNS).get(picture_id)
        position = _position(resident, picture_id)
        return resident.rows.slice(position, 1).to_pylist()[0] if position >= 0 else None

    def embedding(self, picture_id: str) -> NDArray[np.float32] | None:
        """(dimension,) of one row, or ``None``."""
        resident = self._current()
        if resident is None:
            row = self.collection.rows([picture_id], ["id", "embedding"]).get(picture_id)
            return np.asarray(row["embedding"], dtype=np.float32) if row else None
        position = _position(resident, picture_id)
        return resident.embeddings[position] if position >= 0 else None

    def sample(self, count: int, *, where: str | None = None) -> list[dict[str, Any]]:
        """Up to ``count`` files, a row of each without its embedding, from all the collection.

        Args:
            count: how many.
            where: LanceDB expression that the files' rows must pass.
        """
        resident = self._current()
        if resident is None:
            with reading(self.collection.folder):
                found = self.collection.pictures.search().where(first_of_files(where))
                return list(found.select(HIT_COLUMNS).limit(count).to_arrow().to_pylist())
        first = self._files(resident, where)
        spread = np.linspace(0, len(first) - 1, min(count, len(first))).round().astype(np.int64)
        return list(resident.rows.take(first[spread]).to_pylist())

    def matching(self, where: str | None = None) -> int:
        """How many files pass a filter; without one, how many there are."""
        resident = self._current()
        if resident is not None:
            return len(self._files(resident, where))
        return self.collection.matching(where)

    def _files(self, resident: _Resident, where: str | None) -> NDArray[np.intp]:
        """(files,) numbers of the rows that are a picture, or the first of a video, and pass."""
        first = np.flatnonzero(_is_first(resident.rows))
        return first if where is None else np.intersect1d(first, self._passing(resident, where))

    def _passing(self, resident: _Resident, where: str) -> NDArray[np.intp]:
        """(passing,) numbers of the rows that a filter lets pass, ascending.

        LanceDB decides, so that a filter means the same with rows in memory and by the index.
        """
        known = resident.passing.get(where)
        if known is None:
            import pyarrow.compute as pc

            with reading(self.collection.folder):
                ids = self.collection.pictures.search().where(where).select(["id"]).to_arrow()["id"]
            # A writer may have been here since the rows were read: ids that are not among them go.
            known = np.flatnonzero(pc.is_in(resident.rows["id"], ids.combine_chunks()).to_numpy())
            if len(resident.passing) >= FILTERS_KEPT:
                resident.passing.clear()
            resident.passing[where] = known
        return known

    def _by_index(
        self, vector: NDArray[np.float32], top: int, where: str | None
    ) -> list[Neighbour]:
        with reading(self.collection.folder):
            found = self._list(vector, _listed(top), where)
        scores = embeddings_of(found) @ vector  # (rows,)
        best = _best(scores, top)  # making rows of them takes longer than comparing them
        told = found.drop_columns(["_distance", "embedding"]).take(best).to_pylist()
        rows = [row | row_shown(row.pop("shown")) for row in told]
        neighbours = [Neighbour(row, float(scores[i])) for row, i in zip(rows, best, strict=True)]
        return sorted(neighbours, key=_by_score_then_id)[:top]

    def _list(self, vector: NDArray[np.float32], count: int, where: str | None) -> pa.Table:
        """About the ``count`` best rows; fewer only where fewer pass."""
        search = self.collection.pictures.search(vector).distance_type("dot")
        search = search.select([*COLUMNS_BY_INDEX, "_distance"]).limit(count)
        if where is None:
            found = search.nprobes(self._probed).to_arrow()
            return found if len(found) == count else search.nprobes(ALL_PARTITIONS).to_arrow()
        # The best of what passes may lie far from the query, and finding out what passes takes
        # longer than reading all partitions.
        search = search.where(where, prefilter=True).nprobes(ALL_PARTITIONS)
        if self.collection.pictures.count_rows(where) <= self.exact_up_to:
            search = search.bypass_vector_index()
        return search.to_arrow()

    def follow(self) -> None:
        """Move on to the newest state, at most once a second.

        One thread does; the others meanwhile go on with the state before. Files of that are kept
        for an hour: who asks the table itself after a long rest has to follow first.
        """
        if not self._lock.acquire(blocking=self._version < 0):
            return
        try:
            now = time.monotonic()
            if now - self._looked >= SECONDS_BETWEEN_LOOKS:
                self._looked = now
                version = self.collection.refresh()
                if version != self._version:
                    self._resident = self._load()
                    if self._resident is None:
                        self._probed = partitions_probed(self.collection.pictures)
                    self._version = version
        finally:
            self._lock.release()

    def _current(self) -> _Resident | None:
        self.follow()
        return self._resident

    def _load(self) -> _Resident | None:
        if len(self.collection) > self.exact_up_to:
            return None
        columns = [*HIT_COLUMNS, "embedding"]
        with reading(self.collection.folder):
            table = self.collection.pictures.search().select(columns).to_arrow().combine_chunks()
        return _Resident(table.drop_columns(["embedding"]), embeddings_of(table), {})


def _best(scores: NDArray[np.float32], top: int) -> NDArray[np.intp]:
    """Where the ``top`` best scores are, and all that equal the last of them."""
    if top >= len(scores):
        return np.arange(len(scores))
    last = np.partition(scores, len(scores) - top)[len(scores) - top]
    return np.flatnonzero(scores >= last)


def _listed(top: int) -> int:
    listed = LISTED
    while listed < SPARE * top:
        listed *= WIDER
    return listed


def _by_score_then_id(neighbour: Neighbour) -> tuple[float, str, float]:
    return -neighbour.score, neighbour.row["file"], neighbour.row["moment"] or 0.0


def _best_of_each_file(neighbours: list[Neighbour]) -> list[Neighbour]:
    """Without those whose file is there with a better row; best first, as they come."""
    best: dict[str, Neighbour] = {}
    for each in neighbours:
        best.setdefault(each.row["file"], each)
    return list(best.values())


def _is_first(rows: pa.Table) -> NDArray[np.bool_]:
    """(rows,) whether a row is a picture, or the first of a video."""
    import pyarrow.compute as pc

    first: NDArray[np.bool_] = pc.equal(rows["id"], rows["file"]).to_numpy()
    return first


def _position(resident: _Resident, picture_id: str) -> int:
    import pyarrow.compute as pc

    return int(pc.index(resident.rows["id"], picture_id).as_py())
