"""The words by which captions are looked up, in many scripts."""

from __future__ import annotations

import unicodedata

import pytest

from polyglance.search.caption_words import words_of_captions, words_of_text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Two dogs, running!", "two dogs running"),
        ("Zürich Größe STRASSE straße", "zurich grosse strasse strasse"),
        ("l'homme à vélo", "l homme a velo"),
        ("Příliš žluťoučký Łódź", "prilis zlutoucky lodz"),
        ("İstanbul ISLAK ıslak", "istanbul islak islak"),
        ("أَطْفَالٌ يلعبـون", "اطفال يلعبون"),
        ("کتابی", "كتابي"),
        ("１２３ ﬁsh", "123 fish"),
        ("й ё हिंदी", "й ё हिंदी"),
        ("dog 👩‍👩‍👧 ❤️!", "dog 👩‍👩‍👧 ❤️"),
    ],
)
def test_words_between_spaces(text: str, words: str) -> None:
    for form in ("NFC", "NFD"):
        assert words_of_text(unicodedata.normalize(form, text)) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("雪", "雪"),
        ("雪山上。", "雪 山 上 雪山 山上"),
        ("雪，山", "雪 山"),
        ("スキーで遊ぶ", "ス キ ー で 遊 ぶ スキ キー ーで で遊 遊ぶ"),
        ("2只狗", "2 只 狗 只狗"),
        ("red雪山", "red 雪 山 雪山"),
        ("ที่ไป", "ที่ ไ ป ที่ไ ไป"),
    ],
)
def test_characters_and_pairs_where_no_spaces_are_written(text: str, words: str) -> None:
    assert words_of_text(text) == words


@pytest.mark.parametrize("text", ["", " \n", "?!", "—", "。、"])
def test_texts_without_words(text: str) -> None:
    assert words_of_text(text) == ""


def test_captions_of_all_languages_are_one_text() -> None:
    captions = {"de": ["Ein Hund.", "Schnee"], "zh": ["狗"]}
    assert words_of_captions(captions) == "ein hund schnee 狗"
    assert words_of_captions(None) is None
    assert words_of_captions({"de": ["?"]}) == ""
