"""Queries of several texts and pictures: a weighted sum of unit embeddings, brought to length 1."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyglance.errors import PictureError, QueryError
from polyglance.search.collection import Collection
from polyglance.search.indexer import index
from polyglance.search.query import Query
from polyglance.search.searcher import Searcher
from polyglance.search.terms import Term
from support.colours import PALETTE, ColourEncoder, picture


@pytest.fixture
def searcher(tmp_path: Path) -> Searcher:
    for colour in PALETTE:
        picture(tmp_path / "photos" / f"{colour}.png", colour)
    picture(tmp_path / "photos" / "flag.png", "red", "blue")
    encoder = ColourEncoder()
    index(tmp_path / "photos", tmp_path / "collection", encoder=encoder)
    return Searcher(Collection.open(tmp_path / "collection"), encoder)


def test_weighted_sum_of_unit_length(searcher: Searcher, tmp_path: Path) -> None:
    asked = picture(tmp_path / "asked.png", "yellow", "red")
    yellow = searcher.search(Query.of("gelb"), top=1)[0]
    terms = [
        Term.of("rot", language="de"),
        Term.of("青", language="ja", weight=0.5),
        Term.of(image=asked, weight=2),
        Term.of(picture=yellow.id, weight=-0.25),
    ]
    units = [searcher.embed(Query.combined([Term.of(**_content(term))])) for term in terms]
    total = units[0] + 0.5 * units[1] + 2 * units[2] - 0.25 * units[3]
    found = searcher.embed(Query.combined(terms))
    np.testing.assert_allclose(found, total / np.linalg.norm(total), atol=1e-6)
    hits = searcher.search(Query.combined(terms), top=8)
    assert all(-1 <= hit.score <= 1 for hit in hits)
    spoken = searcher.encoder.texts_seen[-2:]  # type: ignore[attr-defined]
    assert spoken == [("rot", "de"), ("青", "ja")]


def _content(term: Term) -> dict[str, Any]:
    return {"text": term.text, "image": term.image, "picture": term.picture}


def test_minus_sends_back_what_is_like_it(searcher: Searcher) -> None:
    def ranks(*terms: Term) -> list[str]:
        return [hit.name for hit in searcher.search(Query.combined(terms), top=8)]

    assert ranks(Term.of("rot"), Term.of("أزرق"))[0] == "flag.png"
    without = ranks(Term.of("rot"), Term.of("أزرق", weight=-1))
    assert (without[0], without[-1]) == ("red.png", "blue.png")
    assert ranks(Term.of("rot", weight=-1))[-1] == "red.png"


def test_weights_alone_change_nothing_of_a_single_part(searcher: Searcher) -> None:
    heavy = searcher.embed(Query.combined([Term.of("rot", weight=7)]))
    np.testing.assert_allclose(heavy, searcher.embed(Query.of("rot")), atol=1e-6)


@pytest.mark.parametrize("weight", [1, 0.01, 100])
def test_parts_that_cancel_one_another_out(searcher: Searcher, weight: float) -> None:
    terms = [Term.of("rot", weight=weight), Term.of("red", weight=-weight)]
    with pytest.raises(QueryError, match=r"cancel one another out: .*“rot” − .*“red”; change"):
        searcher.search(Query.combined(terms))


def test_what_a_query_says_of_itself() -> None:
    query = Query.combined(
        [
            Term.of("snow", weight=-1),
            Term.of("red car", language="en"),
            Term.of(image=Path("a/beach.jpg"), weight=0.5),
        ]
    )
    assert str(query) == "−“snow” + “red car” + 0.5 [beach.jpg]"
    assert (query.text, query.language, query.languages) == ("red car", "en", ("und", "en"))
    assert not query.only_words
    assert Query.of("a").only_words
    assert Query.combined([Term.of("a", weight=-1)]).text is None


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({}, "each part of a query is one text or one picture"),
        ({"text": "a", "picture": "0" * 16}, "each part of a query is one text or one picture"),
        ({"text": " "}, "a text of the query is empty"),
        ({"text": "\ud800"}, "is not valid Unicode"),
        ({"text": "a", "language": "german"}, "is not a language tag"),
        ({"text": "a", "weight": 0}, "the weight 0 is none"),
        ({"text": "a", "weight": nan}, "the weight nan is none"),
        ({"text": "a", "weight": inf}, "the weight inf is none"),
        ({"text": "a", "weight": -101}, "the weight -101 is none"),
    ],
)
def test_mistaken_parts(part: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        Term.of(**part)


def test_mistakes(searcher: Searcher, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="the query is empty"):
        Query.combined([])
    with pytest.raises(QueryError, match="more than 16 parts"):
        Query.combined([Term.of("a")] * 17)
    for key in ("0" * 16, "' OR 1"):
        with pytest.raises(QueryError, match="there is no picture"):
            searcher.search(Query.combined([Term.of(picture=key)]))
    with pytest.raises(PictureError, match=r"none\.png"):
        searcher.search(Query.combined([Term.of("rot"), Term.of(image=tmp_path / "none.png")]))
