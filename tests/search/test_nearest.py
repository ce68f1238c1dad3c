"""Exact search against a plain loop, the index against exact search, and following changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from polyglance.data.place import Place
from polyglance.search import nearest, vector_index
from polyglance.search.collection import Collection
from polyglance.search.hit import HIT_COLUMNS
from polyglance.search.nearest import Neighbours
from polyglance.search.schema import Stored, picture_id
from polyglance.search.writer import Writer, open_for_writing
from support.rows import a_row

Vectors = NDArray[np.float32]
DIMENSION = 32


@dataclass
class Nobody:
    name: str = "nobody"
    fingerprint: str = "0" * 32
    dimension: int = DIMENSION


def clustered(count: int, seed: int = 0) -> Vectors:
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(7).standard_normal((50, DIMENSION))
    rows = centres[random.integers(0, 50, count)] + 0.4 * random.standard_normal((count, DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


QUERY = clustered(1, seed=9)[0]


def write(writer: Writer, vectors: Vectors, *, first: int = 0) -> None:
    writer.upsert([row(first + i, vector) for i, vector in enumerate(vectors)])


def row(number: int, vector: Vectors) -> Stored:
    return a_row(f"{number}.jpg", vector)


def found(neighbours: Neighbours, query: Vectors, top: int = 10) -> list[str]:
    return [each.row["path"] for each in neighbours.nearest(query, top=top)]


def by_hand(vectors: Vectors, query: Vectors, top: int = 10) -> list[str]:
    scored = [
        (-float(sum(v * q for v, q in zip(vector, query, strict=True))), i)
        for i, vector in enumerate(vectors)
    ]
    return [f"{i}.jpg" for _, i in sorted(scored)[:top]]


def test_exact_search_equals_a_loop(tmp_path: Path) -> None:
    vectors = clustered(200)
    with open_for_writing(tmp_path / "c", model=Nobody(), root=tmp_path) as writer:
        write(writer, vectors)
    neighbours = Neighbours(Collection.open(tmp_path / "c"))
    for query in clustered(5, seed=1):
        assert found(neighbours, query) == by_hand(vectors, query)
        score = neighbours.nearest(query, top=1)[0].score
        assert score == pytest.approx(float((vectors @ query).max()), abs=1e-6)


def test_index_is_built_by_itself_and_finds_what_exact_search_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "EXACT_UP_TO", 1000)
    vectors = clustered(3000)
    with open_for_writing(tmp_path / "c", model=Nobody(), root=tmp_path) as writer:
        write(writer, vectors[:900])
        writer.tidy()
        assert vector_index.rows_of_index(writer.collection.pictures) is None
        write(writer, vectors[900:], first=900)
        writer.tidy()
        assert vector_index.rows_of_index(writer.collection.pictures) == 3000
    neighbours = Neighbours(Collection.open(tmp_path / "c"), exact_up_to=1000)
    queries = clustered(20, seed=1)
    hits = [len(set(found(neighbours, q)) & set(by_hand(vectors, q))) for q in queries]
    assert sum(hits) / 200 >= 0.99
    best = neighbours.nearest(queries[0], top=1)[0]
    assert best.score == pytest.approx(float((vectors @ queries[0]).max()), abs=1e-5)
    assert np.array_equal(neighbours.embedding(picture_id("7.jpg")), vectors[7])
    assert neighbours.row(picture_id("7.jpg"))["path"] == "7.jpg"
    assert neighbours.row("0" * 16) is None
    assert len(neighbours.sample(5)) == 5


def test_dimensions_that_are_no_multiple_of_eight_have_an_index_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "EXACT_UP_TO", 300)
    vectors = clustered(400)[:, :13]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with open_for_writing(tmp_path / "c", model=Nobody(dimension=13), root=tmp_path) as writer:
        write(writer, vectors)
        writer.tidy()
        assert vector_index.rows_of_index(writer.collection.pictures) == 400
    neighbours = Neighbours(Collection.open(tmp_path / "c"), exact_up_to=300)
    assert found(neighbours, vectors[7], top=1) == ["7.jpg"]


def test_rows_that_came_after_the_index_are_found_and_deleted_ones_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "EXACT_UP_TO", 1000)
    vectors, late = clustered(2000), clustered(50, seed=3)
    with open_for_writing(tmp_path / "c", model=Nobody(), root=tmp_path) as writer:
        write(writer, vectors)
        writer.tidy()
        write(writer, late, first=2000)
        neighbours = Neighbours(Collection.open(tmp_path / "c"), exact_up_to=1000)
        assert found(neighbours, late[0], top=1) == ["2000.jpg"]
        writer.tidy()
        monkeypatch.setattr(nearest, "SECONDS_BETWEEN_LOOKS", 0.0)
        assert found(neighbours, late[0], top=1) == ["2000.jpg"]
        assert vector_index.rows_of_index(writer.collection.pictures) == 2000
        writer.remove_pictures([picture_id("2000.jpg")])
        assert found(neighbours, late[0], top=1) != ["2000.jpg"]


def test_what_a_killed_run_left_beside_the_index_comes_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "EXACT_UP_TO", 300)
    vectors = clustered(500)
    with open_for_writing(tmp_path / "c", model=Nobody(), root=tmp_path) as writer:
        write(writer, vectors[:400])
        writer.tidy()
        write(writer, vectors[400:], first=400)  # and no more: it is killed
    with open_for_writing(tmp_path / "c", model=Nobody(), root=tmp_path) as writer:
        assert vector_index.rows_beside_index(writer.collection.pictures) == 100
        writer.tidy()
        assert vector_index.rows_beside_index(writer.collection.pictures) == 0


def test_index_is_rebuilt_when_it_is_outgrown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "EXACT_UP_TO", 300)
    vectors = clustered(2000)
    with open_for_writing(tmp_path / "c", model=Nobody(), root=tmp_path) as writer:
        write(writer, vectors[:400])
        writer.tidy()
        write(writer, vectors[400:1500], first=400)
        writer.tidy()
        assert vector_index.rows_of_index(writer.collection.pictures) == 400
        write(writer, vectors[1500:], first=1500)
        writer.tidy()
        names = sorted(each.name for each in writer.collection.pictures.list_indices())
        assert names == ["ids", "near_of_2000", "words_of_captions"]


@pytest.fixture
def little_probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Neighbours:
    """Of 1000 pictures and 10 videos of 50 frames, by an index of which next to nothing is read."""
    monkeypatch.setattr(vector_index, "EXACT_UP_TO", 500)
    monkeypatch.setattr(vector_index, "ROWS_OF_A_PARTITION", 10)
    monkeypatch.setattr(nearest, "partitions_probed", lambda _table: 1)
    with open_for_writing(tmp_path / "c", model=Nobody(), root=tmp_path) as writer:
        write(writer, clustered(1000))
        frames = clustered(500, seed=2).reshape(10, 50, DIMENSION)
        frames[:, 0] = QUERY  # of each video one is nearer than any picture
        writer.upsert(
            [
                a_row(f"{video}.mp4", vector, moment=float(frame), frame=frame)
                for video in range(10)
                for frame, vector in enumerate(frames[video])
            ]
        )
        writer.tidy()
    return Neighbours(Collection.open(tmp_path / "c"), exact_up_to=100)


def test_a_large_collection_tells_as_much_of_a_hit_as_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "EXACT_UP_TO", 500)
    vectors = clustered(600)
    with open_for_writing(tmp_path / "c", model=Nobody(), root=tmp_path) as writer:
        write(writer, vectors[3:], first=3)
        known: dict[str, Any] = {
            "taken": datetime(2024, 5, 31, 18, 30),
            "captions": {"cs": ["kůň"]},
            "place": Place(50.5, -14.25),
            "width": 4000,
        }
        writer.upsert(
            [
                a_row('M\udcfcnchen/a "b".jpg', vectors[0], **known),
                a_row("b.mp4", vectors[1], moment=0.0),
                a_row("b.mp4", vectors[2], moment=1.25, frame=1),
            ]
        )
        writer.tidy()
    collection = Collection.open(tmp_path / "c")
    large, small = Neighbours(collection, exact_up_to=500), Neighbours(collection)
    assert large._current() is None
    for vector in vectors[:5]:
        [found], [expected] = large.nearest(vector, top=1), small.nearest(vector, top=1)
        assert found.row == expected.row
        assert found.score == pytest.approx(1.0, abs=1e-6)


def test_no_page_ends_while_there_is_more(little_probed: Neighbours) -> None:
    assert len(found(little_probed, QUERY, top=1010)) == 1010
    assert len(little_probed._nearest_rows(QUERY, 1200, None)) == 1200


def test_what_passes_a_filter_is_found_however_far_it_lies(little_probed: Neighbours) -> None:
    vectors = clustered(1000)
    far = np.argsort(vectors @ QUERY)[:200]
    paths = [f"{number}.jpg" for number in far]
    where = f"path IN ({', '.join(map(repr, paths))})"
    hits = little_probed.nearest(QUERY, top=150, where=where)
    best = [f"{number}.jpg" for number in far[::-1]]
    assert len(hits) == 150
    assert len({hit.row["path"] for hit in hits[:50]} & set(best[:50])) >= 49


def test_single_rows_are_looked_up_by_an_index(little_probed: Neighbours) -> None:
    rows = little_probed.collection.pictures.search().where("id IN ('0')")
    assert "ScalarIndexQuery" in rows.explain_plan()
    row = little_probed.row(picture_id("7.jpg"))
    assert row is not None
    assert list(row) == HIT_COLUMNS


def test_resident_rows_follow_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "SECONDS_BETWEEN_LOOKS", 0.0)
    vectors = clustered(20)
    with open_for_writing(tmp_path / "c", model=Nobody(), root=tmp_path) as writer:
        neighbours = Neighbours(Collection.open(tmp_path / "c"))
        assert found(neighbours, vectors[3]) == []
        write(writer, vectors[:10])
        assert found(neighbours, vectors[3], top=1) == ["3.jpg"]
        writer.upsert([row(3, -vectors[3])])
        assert found(neighbours, vectors[3], top=1) != ["3.jpg"]
        assert len(found(neighbours, vectors[3], top=50)) == 10
        writer.remove_pictures([picture_id("3.jpg")])
        assert neighbours.embedding(picture_id("3.jpg")) is None
        assert len(neighbours.sample(50)) == 9
