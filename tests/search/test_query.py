"""Questions by text, by picture, by both; and what is refused."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from polyglance.errors import CollectionError, PictureError, QueryError
from polyglance.search.collection import Collection
from polyglance.search.indexer import index
from polyglance.search.query import Query
from polyglance.search.searcher import Searcher
from support.colours import PALETTE, ColourEncoder, picture


@pytest.fixture
def searcher(tmp_path: Path) -> Searcher:
    for colour in PALETTE:
        picture(tmp_path / "photos" / f"{colour}.png", colour)
    picture(tmp_path / "photos" / "half.png", "red", "blue")
    encoder = ColourEncoder()
    index(tmp_path / "photos", tmp_path / "collection", encoder=encoder)
    return Searcher(Collection.open(tmp_path / "collection"), encoder)


def names(searcher: Searcher, query: Query, top: int = 3) -> list[str]:
    return [hit.name for hit in searcher.search(query, top=top)]


@pytest.mark.parametrize("word", ["red", "rot", "rouge", "červená", "赤", "أحمر"])
def test_text_in_every_language(searcher: Searcher, word: str) -> None:
    assert names(searcher, Query.of(word)) == [
        "red.png",
        "half.png",
        names(searcher, Query.of(word))[2],
    ]


def test_hit_is_described(searcher: Searcher, tmp_path: Path) -> None:
    hit = searcher.search(Query.of("blue"), top=1)[0]
    assert hit.path == tmp_path / "photos" / "blue.png"
    assert hit.path.is_file()
    assert (hit.width, hit.height) == (48, 32)
    assert hit.score == pytest.approx(1, abs=0.01)
    assert searcher.picture(hit.id) is not None


def test_composed_and_decomposed_letters_are_one_query(searcher: Searcher) -> None:
    for form in ("NFC", "NFD"):
        query = Query.of(unicodedata.normalize(form, "grün"), language="de")
        assert query.text == unicodedata.normalize("NFC", "grün")
        assert names(searcher, query, top=1) == ["green.png"]


@pytest.mark.parametrize("language", ["no", "zh-Hant", "pt-BR"])
def test_language_reaches_the_encoder(searcher: Searcher, language: str) -> None:
    searcher.search(Query.of("rot", language=language))
    assert searcher.encoder.texts_seen == [("rot", language)]  # type: ignore[attr-defined]


def test_language_not_given(searcher: Searcher) -> None:
    assert Query.of("rot").language == "und"
    searcher.search(Query.of("rot"))
    assert searcher.encoder.texts_seen == [("rot", None)]  # type: ignore[attr-defined]


def test_picture_file(searcher: Searcher, tmp_path: Path) -> None:
    asked = picture(tmp_path / "asked.png", "yellow", size=(300, 200))
    assert names(searcher, Query.of(None, image=asked), top=1) == ["yellow.png"]
    assert names(searcher, Query.of("", image=asked.read_bytes()), top=1) == ["yellow.png"]


def test_text_and_picture_are_the_direction_of_their_sum(
    searcher: Searcher, tmp_path: Path
) -> None:
    asked = picture(tmp_path / "asked.png", "blue")
    both = searcher.embed(Query.of("red", image=asked))
    text, image = searcher.embed(Query.of("red")), searcher.embed(Query.of(None, image=asked))
    expected = (text + image) / np.linalg.norm(text + image)
    np.testing.assert_allclose(both, expected, atol=1e-6)
    assert names(searcher, Query.of("red", image=asked), top=1) == ["half.png"]


def test_unreadable_picture(searcher: Searcher, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"bad")
    with pytest.raises(PictureError, match=r"bad\.png"):
        searcher.search(Query.of(None, image=tmp_path / "bad.png"))


@pytest.mark.parametrize("text", [None, "", " \t\n"])
def test_empty_query(text: str | None) -> None:
    with pytest.raises(QueryError, match="the query is empty"):
        Query.of(text)


@pytest.mark.parametrize("language", ["german", "de DE", "d", "'; --"])
def test_malformed_language(language: str) -> None:
    with pytest.raises(QueryError, match="is not a language tag"):
        Query.of("rot", language=language)


@pytest.mark.parametrize("text", ["👩‍👩‍👧 🏳️‍🌈", "１２３", "ช้างสีแดง", "שמיים"])
def test_any_script_is_a_query(searcher: Searcher, text: str) -> None:
    assert len(searcher.search(Query.of(text), top=3)) == 3


def test_similar_leaves_itself_out(searcher: Searcher) -> None:
    red = searcher.search(Query.of("red"), top=1)[0]
    similar = searcher.similar(red.id, top=3)
    assert similar[0].name == "half.png"
    assert red.id not in [hit.id for hit in similar]
    with pytest.raises(QueryError, match="no picture '0000000000000000'"):
        searcher.similar("0" * 16)


def test_more_than_there_are(searcher: Searcher) -> None:
    assert len(searcher.search(Query.of("rot"), top=1000)) == 8
    for top in (0, -1, 10_000):
        with pytest.raises(QueryError, match="number of results"):
            searcher.search(Query.of("rot"), top=top)


def test_another_model_is_refused(searcher: Searcher) -> None:
    stranger = ColourEncoder()
    stranger.name, stranger.fingerprint = "stranger", "f" * 56
    with pytest.raises(CollectionError, match=r"'colours' .*'stranger'"):
        Searcher(searcher.collection, stranger)


def test_language_warning(searcher: Searcher) -> None:
    assert searcher.language_warning("de-AT") is None
    assert searcher.language_warning("und") is None
    assert searcher.language_warning("sw") == (
        "the model was not trained on sw, but on en, de, fr, cs, ja, ar"
    )


def test_name_that_is_not_utf8_leads_to_its_file(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "a.png", "red")
    odd = tmp_path / "photos" / os.fsdecode(b"caf\xe9.png")
    shutil.move(tmp_path / "photos" / "a.png", odd)
    encoder = ColourEncoder()
    index(tmp_path / "photos", tmp_path / "collection", encoder=encoder)
    hit = Searcher(Collection.open(tmp_path / "collection"), encoder).search(Query.of("red"))[0]
    assert hit.path == odd
    assert hit.name == "caf\\xe9.png"
