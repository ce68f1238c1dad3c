"""Translations beside captions, back, and in their place."""

from __future__ import annotations

import pytest

from polyglance.data.language import is_language_tag, is_machine_translated
from polyglance.data.record import Record
from polyglance.data.translate import add_translations, machine_tag, replace_captions
from polyglance.errors import ConfigError, ManifestError

RECORDS = [
    Record(
        id="a",
        captions={"en": ("a dog", "a cat"), "zh": ("狗",)},
        machine_translated={"zh-baidu": ("一只狗", "一只猫")},
        parallel={"en": "a dog", "de": "ein Hund"},
        extra={"photographer": "Ada"},
    ),
    Record(id="b", captions={"en": ("a bird",)}),
    Record(id="c", captions={"zh": ("鸟",)}),
]


def shout(texts: list[str]) -> list[str]:
    return [text.upper() for text in texts]


def test_translations_come_one_for_each_caption_in_their_order() -> None:
    a, b, c = add_translations(RECORDS, shout, source="en", tag="xx-x-shout")
    assert a.machine_translated["xx-x-shout"] == ("A DOG", "A CAT")
    assert a.machine_translated["zh-baidu"] == ("一只狗", "一只猫")
    assert (a.captions, a.extra) == (RECORDS[0].captions, RECORDS[0].extra)
    assert b.machine_translated == {"xx-x-shout": ("A BIRD",)}
    assert c == RECORDS[2]


def test_translations_are_translated_back() -> None:
    a, b, _ = add_translations(
        RECORDS, lambda texts: [f"back {t}" for t in texts], source="zh-baidu", tag="en-x-zh-baidu"
    )
    assert a.machine_translated["en-x-zh-baidu"] == ("back 一只狗", "back 一只猫")
    assert b == RECORDS[1]


def test_captions_are_replaced_and_nothing_else_is_left_to_measure() -> None:
    a, b, c = replace_captions(RECORDS, shout, source="zh", target="en")
    assert a.captions == {"en": ("狗",)}
    assert (a.machine_translated, a.parallel, a.extra) == ({}, {}, RECORDS[0].extra)
    assert b.captions == {}
    assert c.captions == {"en": ("鸟",)}


def test_a_text_that_becomes_nothing_stays() -> None:
    a, _, _ = add_translations(
        RECORDS,
        lambda texts: ["" if "dog" in t else " x" for t in texts],
        source="en",
        tag="de-x-y",
    )
    assert a.machine_translated["de-x-y"] == ("a dog", " x")


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ManifestError, match="no picture has texts in 'fr'; there are: en, zh, zh-"):
        add_translations(RECORDS, shout, source="fr", tag="de-x-y")
    with pytest.raises(ConfigError, match="3 texts came back as 1"):
        add_translations(RECORDS, lambda _: ["one"], source="en", tag="de-x-y")


@pytest.mark.parametrize(
    ("target", "source", "model", "tag"),
    [
        ("zh", "en", "Helsinki-NLP/opus-mt-en-zh", "zh-x-opusmten"),
        ("en", "zh-baidu", "x", "en-x-zh-baidu"),
        ("en", "zh-x-opusmten", "x", "en-x-zh-opusmten"),
        ("de", "en", "/models/模型/", "de-x-mt"),
    ],
)
def test_a_tag_says_where_translations_come_from(
    target: str, source: str, model: str, tag: str
) -> None:
    assert machine_tag(target, source, model) == tag
    assert is_language_tag(tag)
    assert is_machine_translated(tag)
