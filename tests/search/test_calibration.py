"""A collection's calibration: made when it is filled, kept, renewed, and made without it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from polyglance.errors import QueryError
from polyglance.search import hybrid
from polyglance.search import searcher as searcher_module
from polyglance.search.calibration import FILE, LEAST_ROWS
from polyglance.search.collection import Collection
from polyglance.search.indexer import index
from polyglance.search.query import Query
from polyglance.search.relevance import nothing_matches, reference_texts
from polyglance.search.searcher import Searcher
from polyglance.search.terms import Term
from polyglance.search.writer import open_for_writing
from support.colours import ColourEncoder, many_pictures, picture
from support.rows import a_row

NONSENSE = "zqxj"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    many_pictures(tmp_path / "photos", 60)
    index(tmp_path / "photos", tmp_path / "collection", encoder=ColourEncoder())
    return tmp_path / "collection"


def searching(folder: Path) -> Searcher:
    return Searcher(Collection.open(folder), ColourEncoder())


def seen(searcher: Searcher) -> int:
    return len(searcher.encoder.texts_seen)  # type: ignore[attr-defined]


def test_nonsense_matches_nothing_and_what_is_there_does(folder: Path) -> None:
    searcher = searching(folder)
    assert nothing_matches(searcher.search(Query.of(NONSENSE)))
    for word in ("red", "rouge", "赤"):
        hits = searcher.search(Query.of(word))
        assert not nothing_matches(hits)
        relevances = [hit.relevance for hit in hits]
        assert relevances == sorted(relevances, reverse=True)  # type: ignore[type-var]


def test_what_was_kept_is_the_best_of_every_row_and_spares_encoding(folder: Path) -> None:
    searcher = searching(folder)
    searcher.search(Query.of("red"))
    assert seen(searcher) == 1
    with np.load(folder / FILE) as kept:
        rows = [
            np.asarray(row["embedding"])
            for row in searcher.collection.pictures.search().to_arrow().to_pylist()
        ]
        languages, texts = zip(*reference_texts(), strict=True)
        expected = np.stack(rows) @ ColourEncoder().encode_texts(texts, language=languages).T
        np.testing.assert_allclose(kept["best"], expected.max(axis=0), atol=1e-6)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 torn"])
def test_a_reader_without_it_calibrates_and_writes_nothing(
    folder: Path, content: bytes | None
) -> None:
    expected = [hit.relevance for hit in searching(folder).search(Query.of("blue"))]
    (folder / FILE).unlink() if content is None else (folder / FILE).write_bytes(content)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    searcher = searching(folder)
    assert [hit.relevance for hit in searcher.search(Query.of("blue"))] == expected
    searcher.search(Query.of("green"))
    assert seen(searcher) == len(reference_texts()) + 2  # once, not for every query
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_it_follows_the_collection(folder: Path) -> None:
    photos = folder.parent / "photos"
    searcher = searching(folder)
    searcher.search(Query.of("red"))
    written = (folder / FILE).stat().st_mtime_ns
    index(photos, folder, encoder=ColourEncoder())
    assert (folder / FILE).stat().st_mtime_ns == written
    many_pictures(photos, 90)
    picture(photos / "one more.png", "white")
    encoder = ColourEncoder()
    index(photos, folder, encoder=encoder)
    assert encoder.texts_seen == []  # the texts are as they were
    with np.load(folder / FILE) as kept:
        assert int(kept["rows"]) == 91
    searcher.neighbours._looked = -np.inf  # as after a second
    searcher.search(Query.of("red"))
    searcher.search(Query.of("red"))
    assert searcher._calibrator._measured is not None
    assert searcher._calibrator._measured.rows == 91
    assert seen(searcher) == 3  # read, not made


def test_hits_below_the_least_relevance_are_not_found(folder: Path) -> None:
    searcher = searching(folder)
    every = searcher.search(Query.of("red"), top=60)
    least = every[10].relevance
    assert least is not None
    few = searcher.search(Query.of("red"), top=60, min_relevance=least)
    assert few == [hit for hit in every if (hit.relevance or 0) >= least]
    assert 0 < len(few) < len(every)
    paged = searcher.search(Query.of("red"), top=5, offset=5, min_relevance=least)
    assert paged == few[5:10]


def test_both_rankings_are_judged_before_a_page_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (hybrid, searcher_module):
        monkeypatch.setattr(module, "DEPTH", 20)
    query = ColourEncoder().encode_texts(["red kite"])[0]
    vectors = query + np.random.default_rng(0).uniform(0, 0.1, (60, len(query)))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = np.argsort(-(vectors @ query))
    with open_for_writing(tmp_path / "c", model=ColourEncoder(), root=tmp_path) as writer:
        writer.upsert(
            [
                a_row(f"{place}.png", vectors[i], captions={"en": ["kite"]} if place > 44 else None)
                for place, i in enumerate(order)
            ]
        )
    searcher = searching(tmp_path / "c")
    least = searcher.search(Query.of("red kite"), top=3)[-1].relevance
    assert least is not None
    ask = partial(searcher.search, Query.of("red kite"), hybrid=True, min_relevance=least)
    every = ask(top=20)
    assert sorted(int(hit.path.stem) for hit in every) == [0, 1, 2, *range(45, 60)]
    assert ask(top=10) + ask(top=10, offset=10) == every


def test_relevance_is_of_words_alone(folder: Path) -> None:
    searcher = searching(folder)
    words = Query.combined([Term.of("red"), Term.of("blue", language="en", weight=-0.5)])
    assert searcher.search(words, top=1)[0].relevance is not None
    best = searcher.search(Query.of("red"), top=1)[0]
    pictures = Query.of("red", image=best.path)
    assert searcher.search(pictures, top=1)[0].relevance is None
    assert searcher.similar(best.id, top=1)[0].relevance is None
    with pytest.raises(QueryError, match="where a query is words alone"):
        searcher.search(pictures, min_relevance=0.5)


def test_a_filter_changes_no_relevance(folder: Path) -> None:
    from polyglance.search.filters import Filters

    searcher = searching(folder)
    every = {hit.id: hit.relevance for hit in searcher.search(Query.of("red"), top=60)}
    narrowed = searcher.search(Query.of("red"), filters=Filters.of(orientation="portrait"))
    assert narrowed
    assert all(hit.relevance == every[hit.id] for hit in narrowed)


def test_a_small_collection_has_none(tmp_path: Path) -> None:
    many_pictures(tmp_path / "photos", LEAST_ROWS - 1)
    index(tmp_path / "photos", tmp_path / "collection", encoder=ColourEncoder())
    searcher = searching(tmp_path / "collection")
    assert not (tmp_path / "collection" / FILE).exists()
    assert searcher.search(Query.of("red"))[0].relevance is None
    assert seen(searcher) == 1
    with pytest.raises(QueryError, match=f"{LEAST_ROWS} pictures or more"):
        searcher.search(Query.of("red"), min_relevance=0.5)
