"""Words of every script, and the same words in Latin letters."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyglance.errors import ConfigError
from polyglance.text.segment import MARKS, Segmenter

SEGMENTER = Segmenter()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A dog runs.", ["a", "dog", "runs", "."]),
        ("l'herbe", ["l", "'", "herbe"]),
        ("LÄUFT", ["läuft"]),
        ("", []),
        (" \n\t ", []),
        ("一只狗。", ["一", "只", "狗", "。"]),
        ("犬が走る。", ["犬", "が", "走", "る", "。"]),
        ("青いスケートボード", ["青", "い", "スケートボード"]),  # a borrowed word stays whole
        ("วิ่งบน", ["วิ่", "ง", "บ", "น"]),  # marks stay with their letter
        ("كلب يركض", ["كلب", "يركض"]),
        ("كَلْب", ["كَلْب"]),  # vowel marks do not separate
        ("강아지가 위를", ["강아지가", "위를"]),
        ("कुत्ता है", ["कुत्ता", "है"]),
        ("Pes běží.", ["pes", "běží", "."]),
        ("👩🏽‍🚀🐕🇩🇪dog狗", ["👩🏽‍🚀", "🐕", "🇩🇪", "dog", "狗"]),
        ("１２ ﬁsh", ["12", "fish"]),  # full-width digits, a ligature
        ("dog \udcff", ["dog", "?"]),
    ],
)
def test_words_of_every_script(text: str, words: list[str]) -> None:
    assert SEGMENTER.words(text) == words


@pytest.mark.parametrize("text", ["Pes běží po trávě.", "läuft über", "강아지가", "が"])
def test_composed_and_decomposed_are_one(text: str) -> None:
    decomposed = unicodedata.normalize("NFD", text)
    assert decomposed != text
    assert SEGMENTER.words(decomposed) == SEGMENTER.words(text)


def test_the_language_decides_the_case_of_i() -> None:
    assert SEGMENTER.words("KIZ İp", "tr") == ["kız", "ip"]
    assert SEGMENTER.words("KIZ", "en") == ["kiz"]


@given(st.text())
def test_no_text_has_a_mark_or_an_empty_word(text: str) -> None:
    words = SEGMENTER.words(text)
    assert not set(words) & {*MARKS, ""}
    assert SEGMENTER.words(text + "<end><pad> <start>")[-9:] == [
        *("<", "end", ">", "<", "pad", ">"),
        *("<", "start", ">"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A dog.", ["a", "dog", "."]),
        ("Ωκεανός", ["okeanos"]),
        ("собака", ["sobaka"]),
        ("狗跑", ["gou", "pao"]),
        ("スケボー", ["sukebo"]),
        ("Žluťoučký", ["zlutoucky"]),
        ("straße", ["strasse"]),
    ],
)
def test_romanised_words(text: str, words: list[str]) -> None:
    assert Segmenter(romanise=True).words(text) == words


@given(st.text())
def test_romanising_loses_no_word(text: str) -> None:
    words = Segmenter(romanise=True).words(text)
    assert len(words) == len(SEGMENTER.words(text))
    assert "" not in words


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anyascii", None)
    with pytest.raises(ConfigError, match=r"polyglance\[romanise\]"):
        Segmenter(romanise=True)
