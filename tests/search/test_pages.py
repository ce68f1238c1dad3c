"""Pages of one search: no picture twice, none missing, also where scores are equal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from polyglance.errors import QueryError
from polyglance.search import nearest
from polyglance.search.collection import Collection
from polyglance.search.filters import Filters
from polyglance.search.nearest import Neighbours
from polyglance.search.query import Query
from polyglance.search.schema import Stored
from polyglance.search.searcher import Searcher
from polyglance.search.writer import open_for_writing
from support.colours import ColourEncoder
from support.rows import a_row

FILES = 60


def stored(number: int, *, moment: float | None = None, frame: int = 0) -> Stored:
    embedding = np.full(ColourEncoder.dimension, 0.1, dtype=np.float32)
    embedding[0] = 1.0 + number % 3  # three scores, each of a third of the pictures
    ending = "mp4" if moment is not None else "jpg" if number % 2 else "png"
    return a_row(
        f"{number}.{ending}", embedding / np.linalg.norm(embedding), moment=moment, frame=frame
    )


@pytest.fixture(params=["in memory", "by the index"])
def searcher(tmp_path: Path, request: pytest.FixtureRequest) -> Searcher:
    with open_for_writing(tmp_path / "c", model=ColourEncoder(), root=tmp_path) as writer:
        writer.upsert([stored(number) for number in range(FILES - 1)])
        writer.upsert([stored(FILES, moment=float(i), frame=i) for i in range(20)])
    searcher = Searcher(Collection.open(tmp_path / "c"), ColourEncoder())
    if request.param == "by the index":
        searcher.neighbours = Neighbours(searcher.collection, exact_up_to=0)
    return searcher


@pytest.mark.parametrize("size", [1, 7, 60])
def test_pages_are_cut_from_one_list(searcher: Searcher, size: int) -> None:
    query = Query.of("red")
    whole = searcher.search(query, top=1000)
    assert len({hit.path for hit in whole}) == len(whole) == FILES
    pages = [searcher.search(query, top=size, offset=i) for i in range(0, FILES, size)]
    assert [hit for page in pages for hit in page] == whole
    assert searcher.search(query, top=size, offset=FILES) == []


def test_pages_of_filtered_and_of_similar_pictures(searcher: Searcher) -> None:
    query, png = Query.of("red"), Filters.of(kind="png")
    whole = searcher.search(query, top=1000, filters=png)
    assert len(whole) == FILES // 2
    parts = [searcher.search(query, top=4, offset=i, filters=png) for i in range(0, 30, 4)]
    assert [hit for part in parts for hit in part] == whole
    similar = searcher.similar(whole[5].id, top=1000)
    assert len(similar) == FILES - 1
    parts = [searcher.similar(whole[5].id, top=4, offset=i) for i in range(0, FILES, 4)]
    assert [hit for part in parts for hit in part] == similar


def test_pages_by_the_index_beyond_what_it_lists_at_once(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "LISTED", 80)
    whole = searcher.search(Query.of("red"), top=60)
    monkeypatch.setattr(nearest, "LISTED", 5)
    assert searcher.search(Query.of("red"), top=60) == whole


@pytest.mark.parametrize("offset", [-1, 10_001])
def test_mistakes(searcher: Searcher, offset: int) -> None:
    with pytest.raises(QueryError, match="offset must be between 0 and 10000"):
        searcher.search(Query.of("red"), offset=offset)
