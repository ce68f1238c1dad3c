"""Which pictures are searched: each filter alone, and texts that would be SQL or patterns."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyglance.errors import QueryError
from polyglance.search import nearest, vector_index
from polyglance.search.collection import Collection
from polyglance.search.filters import Filters
from polyglance.search.nearest import Neighbours
from polyglance.search.query import Query
from polyglance.search.schema import Stored
from polyglance.search.searcher import Searcher
from polyglance.search.writer import open_for_writing
from support.colours import ColourEncoder
from support.rows import a_row

DIMENSION = ColourEncoder.dimension
DECOMPOSED = unicodedata.normalize("NFD", "Müller")


def stored(path: str, number: int, **changes: Any) -> Stored:
    embedding = np.full(DIMENSION, 0.1, dtype=np.float32)
    embedding[0] = 1.0 - 0.01 * number  # redder the earlier it is
    row = a_row(path, embedding / np.linalg.norm(embedding), width=100, height=100)
    return replace(row, **changes)


ROWS = [
    stored("it's/100%_a/1.jpg", 0, width=300, height=200, taken=datetime(2024, 6, 30, 23, 59, 59)),
    stored("it's/100%_a/2.JPEG", 1, width=200, height=300, taken=datetime(2024, 7, 1)),
    stored("it's/100xxa/3.png", 2, width=900, height=900, taken=datetime(1999, 12, 31, 12)),
    stored("it's 2/4.png", 3, captions={"en": ['A "big" dog.', ", x"], "de": ["Ein großer Hund"]}),
    stored("写真/5.webp", 4, captions={"zh-Hant": ["一隻狗在雪地裡。"], "ja": ["雪の中の犬"]}),
    stored("صور/6.gif", 5, captions={"ar": ["كلب في الثلج"]}),
    stored(f"{DECOMPOSED}/7.tif", 6, captions={"en": ["50% off, a_b \\d+ (c)"]}),
    stored(os.fsdecode(b"caf\xe9/8.bmp"), 7),
    stored("back\\slash/9.png", 8, captions={"en": ["1"]}),
    stored("clip.mp4", 9, moment=0.0, captions={"en": ["a dog runs"]}),
    stored("clip.mp4", 10, moment=1.0, frame=1, captions={"en": ["a dog runs"]}),
]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    folder = tmp_path_factory.mktemp("filters")
    with open_for_writing(folder / "c", model=ColourEncoder(), root=folder) as writer:
        writer.upsert(ROWS)
    return Collection.open(folder / "c")


@pytest.fixture(params=["in memory", "by the index"])
def searcher(collection: Collection, request: pytest.FixtureRequest) -> Searcher:
    searcher = Searcher(collection, ColourEncoder())
    if request.param == "by the index":
        searcher.neighbours = Neighbours(collection, exact_up_to=0)
    return searcher


def numbers(searcher: Searcher, **asked: Any) -> list[str]:
    """The file names, without ending, of what passes; a search, a count and a sample agree."""
    filters = Filters.of(**asked)
    hits = searcher.search(Query.of("red"), top=50, filters=filters)
    assert searcher.matching(filters) == len(hits)
    names = sorted(hit.name for hit in hits)
    for listed in (searcher.sample(50, filters=filters), searcher.newest(top=50, filters=filters)):
        assert sorted(hit.name for hit in listed) == names
    return sorted(Path(name).stem for name in names)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "1 2 3 4 5 6 7 8 9 clip"),
        ({"folder": "it's"}, "1 2 3"),
        ({"folder": "./it's//"}, "1 2 3"),
        ({"folder": "it's/100%_a"}, "1 2"),
        ({"folder": "it's/100%"}, ""),
        ({"folder": "%"}, ""),
        ({"folder": "写真"}, "5"),
        ({"folder": "صور"}, "6"),
        ({"folder": unicodedata.normalize("NFC", DECOMPOSED)}, "7"),
        ({"folder": "caf\\xe9"}, "8"),
        ({"folder": "back\\slash"}, "9"),
        ({"folder": "' OR 1=1 --"}, ""),
        ({"folder": "nul\0"}, ""),
        ({"folder": "."}, "1 2 3 4 5 6 7 8 9 clip"),
        ({"since": "2024"}, "1 2"),
        ({"since": "2024-07"}, "2"),
        ({"until": "2024-06-30"}, "1 3"),
        ({"until": "2024-06"}, "1 3"),
        ({"until": "1999"}, "3"),
        ({"since": "2024-06-30", "until": "2024-06-30"}, "1"),
        ({"since": "0001", "until": "9999"}, "1 2 3"),
        ({"min_size": 200}, "1 2 3"),
        ({"min_size": "201"}, "3"),
        ({"min_size": 1000}, ""),
        ({"orientation": "landscape"}, "1"),
        ({"orientation": "Portrait"}, "2"),
        ({"orientation": "square", "min_size": 101}, "3"),
        ({"kind": "jpg"}, "1 2"),
        ({"kind": ".PNG"}, "3 4 9"),
        ({"kind": "tiff"}, "7"),
        ({"kind": "video"}, "clip"),
        ({"kind": "picture"}, "1 2 3 4 5 6 7 8 9"),
        ({"caption": "DOG"}, "4 clip"),
        ({"caption": '"big"'}, "4"),
        ({"caption": "GROSSER"}, ""),
        ({"caption": "GROẞER"}, "4"),
        ({"caption": "en"}, ""),  # of the tags, none
        ({"caption": ", x"}, "4"),
        ({"caption": '."'}, ""),  # nor what stands between two texts
        ({"caption": ": ["}, ""),
        ({"caption": "狗"}, "5"),
        ({"caption": "雪の中"}, "5"),
        ({"caption": "الثلج"}, "6"),
        ({"caption": "50% off"}, "7"),
        ({"caption": "%"}, "7"),
        ({"caption": "_"}, "7"),
        ({"caption": "\\d+"}, "7"),
        ({"caption": "(c)"}, "7"),
        ({"caption": ".*"}, ""),
        ({"caption": "'; DROP TABLE pictures; --"}, ""),
        ({"caption": "dog", "kind": "video"}, "clip"),
        ({"folder": " ", "since": "", "kind": "", "caption": "  "}, "1 2 3 4 5 6 7 8 9 clip"),
    ],
)
def test_what_passes(searcher: Searcher, asked: dict[str, Any], expected: str) -> None:
    assert numbers(searcher, **asked) == expected.split()


def test_as_many_hits_as_asked_for_though_the_nearest_do_not_pass(searcher: Searcher) -> None:
    hits = searcher.search(Query.of("red"), top=3, filters=Filters.of(kind="png"))
    assert [Path(hit.name).stem for hit in hits] == ["3", "4", "9"]
    scores = {hit.id: hit.score for hit in searcher.search(Query.of("red"), top=50)}
    assert [hit.score for hit in hits] == pytest.approx([scores[hit.id] for hit in hits], abs=1e-5)


def test_similar_pictures_pass_too(searcher: Searcher) -> None:
    first = searcher.search(Query.of("red"), top=1)[0]
    assert first.name == "it's/100%_a/1.jpg"
    hits = searcher.similar(first.id, top=5, filters=Filters.of(folder="it's"))
    assert [Path(hit.name).stem for hit in hits] == ["2", "3"]


@dataclass
class Nobody:
    name: str = "nobody"
    fingerprint: str = "0" * 32
    dimension: int = 16


def test_few_rows_are_found_wherever_in_the_index_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "EXACT_UP_TO", 500)
    monkeypatch.setattr(vector_index, "ROWS_OF_A_PARTITION", 10)
    monkeypatch.setattr(nearest, "partitions_probed", lambda _table: 1)
    random = np.random.default_rng(0)
    vectors = random.standard_normal((1000, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [
        stored(f"{'rare' if i % 200 == 0 else 'common'}/{i}.jpg", i, embedding=vector)
        for i, vector in enumerate(vectors)
    ]
    with open_for_writing(tmp_path / "c", model=Nobody(), root=tmp_path) as writer:
        writer.upsert(rows)
        writer.tidy()
        assert vector_index.rows_of_index(writer.collection.pictures) == 1000
    neighbours = Neighbours(Collection.open(tmp_path / "c"), exact_up_to=500)
    rare = Filters.of(folder="rare").expression()
    found = neighbours.nearest(vectors[1], top=5, where=rare)
    best = sorted(range(0, 1000, 200), key=lambda i: -float(vectors[i] @ vectors[1]))
    assert [each.row["path"] for each in found] == [f"rare/{i}.jpg" for i in best]


def test_rows_that_a_writer_adds_are_filtered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "SECONDS_BETWEEN_LOOKS", 0.0)
    with open_for_writing(tmp_path / "c", model=ColourEncoder(), root=tmp_path) as writer:
        writer.upsert(ROWS[:1])
        searcher = Searcher(Collection.open(tmp_path / "c"), ColourEncoder())
        assert numbers(searcher, kind="jpg") == ["1"]
        writer.upsert(ROWS[1:3])
        assert numbers(searcher, kind="jpg") == ["1", "2"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"since": "yesterday"}, "since: 'yesterday' is not a date; use one like 2024"),
        ({"since": "2024-13"}, "is not a date"),
        ({"until": "2023-02-29"}, "until: '2023-02-29' is not a date"),
        ({"until": "0000"}, "is not a date"),
        ({"since": "２０２４"}, "is not a date"),
        ({"near": "Prague"}, "near: 'Prague' is no place; use latitude, longitude and radius"),
        ({"near": "50,14"}, "is no place"),
        ({"near": "50,14,5"}, "is no place"),
        ({"near": "nan,14,5km"}, "is no place"),
        ({"near": "1e1,14,5km"}, "is no place"),
        ({"near": "５０,14,5km"}, "is no place"),
        ({"near": "50,14,5km) OR (1=1"}, "is no place"),
        ({"near": "91,14,5km"}, "near: '91,14,5km' is nowhere; latitudes are between -90"),
        ({"near": "50,-180.1,5km"}, "is nowhere"),
        ({"near": "50,14,0km"}, "the radius is between 1 m and 20000 km"),
        ({"near": "50,14,-5km"}, "the radius is between"),
        ({"near": "50,14,20001km"}, "the radius is between"),
        ({"since": "2024-05", "until": "2024-04"}, "no day is since 2024-05-01 and until 2024-04"),
        ({"min_size": 0}, "minimum size is a number of pixels"),
        ({"min_size": "big"}, "minimum size is a number of pixels"),
        ({"min_size": "-5"}, "minimum size is a number of pixels"),
        ({"orientation": "diagonal"}, "'diagonal' is no orientation; use landscape"),
        ({"kind": "exe"}, "'exe' is no kind of file"),
        ({"caption": "x" * 201}, "caption: longer than 200 characters"),
        ({"folder": "x" * 1001}, "folder: longer than 1000 characters"),
        ({"folder": "\ud800"}, "folder: .* is not valid Unicode"),
        ({"caption": "\udcff"}, "caption: .* is not valid Unicode"),
    ],
)
def test_mistakes(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        Filters.of(**asked)


def test_what_is_given_gives_the_same_again() -> None:
    filters = Filters.of(folder="a/", since="2024-02", until="2024-02", min_size="9", kind="JPG")
    assert (filters.since, filters.until) == (date(2024, 2, 1), date(2024, 2, 29))
    assert Filters.of(**filters.given()) == filters
    assert str(filters) == (
        "in a, since 2024-02-01, until 2024-02-29, both sides of 9 pixels or more, of the kind jpg"
    )
    assert not Filters.of()
    assert Filters.of().expression() is None
