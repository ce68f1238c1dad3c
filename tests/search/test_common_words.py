"""Words that most captions have do not count, in any language; unless there are no others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyglance.search import common_words as module
from polyglance.search.collection import Collection
from polyglance.search.common_words import CommonWords, common_words
from polyglance.search.query import Query
from polyglance.search.schema import Captions
from polyglance.search.searcher import Searcher
from polyglance.search.writer import open_for_writing
from support.colours import ColourEncoder
from support.rows import a_row

CAPTIONS: Mapping[str, Captions] = {
    "dog": {"de": ["Ein Hund im Schnee"], "en": ["A dog"], "zh": ["雪地里的狗"]},
    "cat": {"de": ["Ein Kater auf einem Baum"], "en": ["A tomcat"], "zh": ["树上的猫"]},
    "tree": {"de": ["Ein Baum"], "en": ["A tree"], "zh": ["孤独的树"]},
    "sea": {"de": ["Ein Boot, ein Mann, ein See"], "en": ["A lake"], "zh": ["湖上的船"]},
    "bare": {},
}


def collection(folder: Path, captions: Mapping[str, Captions]) -> Collection:
    embedding = np.eye(ColourEncoder.dimension, dtype=np.float32)[0]
    rows = [
        a_row(f"{name}.png", embedding, captions=each or None)
        for number, (name, each) in enumerate(captions.items())
    ]
    with open_for_writing(folder / "c", model=ColourEncoder(), root=folder) as writer:
        writer.upsert(rows)
    return Collection.open(folder / "c")


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST", 2)


@pytest.fixture
def table(tmp_path: Path) -> Any:
    return collection(tmp_path, CAPTIONS).pictures


def test_they_are_in_more_than_half_of_the_captioned_files(table: Any) -> None:
    assert common_words(table) == {"ein", "a", "的"}  # "baum" is in two of four


@pytest.mark.parametrize(
    ("words", "telling"),
    [
        ("ein hund", "hund"),
        ("a zebra", "zebra"),  # which no caption has: then captions find nothing
        ("ein", "ein"),
        ("ein a", "ein a"),
        ("", ""),
    ],
)
def test_others_are_looked_for(table: Any, words: str, telling: str) -> None:
    assert CommonWords().without(words, table) == telling


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ein Hund", ["dog.png"]),
        ("a dog", ["dog.png"]),
        ("猫的", ["cat.png"]),
        ("ein Zebra", []),
        ("ein", ["cat.png", "dog.png", "sea.png", "tree.png"]),
    ],
)
def test_captions_without_a_dog_are_not_found_by_one(
    tmp_path: Path, text: str, found: list[str]
) -> None:
    searcher = Searcher(collection(tmp_path, CAPTIONS), ColourEncoder())
    hits = searcher.search(Query.of(text), top=50, hybrid=True)
    assert sorted(hit.name for hit in hits if hit.found_by and hit.found_by.text) == found


def test_of_many_files_some_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE", 100)
    captions = {
        str(number): {"en": [f"a {'dog' if number % 10 < 7 else 'cat'} {number}"]}
        for number in range(1000)
    }
    table = collection(tmp_path, captions).pictures
    assert common_words(table) == {"a", "dog"}


def test_few_captions_say_nothing(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST", 5)
    assert common_words(table) == frozenset()


def test_they_follow_the_collection(tmp_path: Path) -> None:
    opened = collection(tmp_path, {"a": {"en": ["a dog"]}, "b": {"en": ["the cat"]}})
    common = CommonWords()
    assert common.without("a dog", opened.pictures) == "a dog"
    collection(tmp_path, {"c": {"en": ["a tree"]}})
    opened.refresh()
    assert common.without("a dog", opened.pictures) == "dog"
