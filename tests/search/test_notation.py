"""Parts of queries in options and addresses: what is written is read as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyglance.search.notation import Written, read_picture, read_text, write


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("at night", Written("at night", None, None)),
        ("at night@0.5", Written("at night", None, 0.5)),
        ("bei Nacht@de", Written("bei Nacht", "de", None)),
        ("雪@zh-Hant,2", Written("雪", "zh-Hant", 2.0)),
        ("me@example.org", Written("me@example.org", None, None)),
        ("me@de@1", Written("me@de", None, 1.0)),
    ],
)
def test_texts(value: str, expected: Written) -> None:
    assert read_text(value) == expected


def test_pictures_have_no_language() -> None:
    assert read_picture("lake.jpg@2") == Written("lake.jpg", None, 2.0)
    assert read_picture("lake@de") == Written("lake@de", None, None)


@given(
    st.text() | st.just("at night@0.5") | st.just("me@de"),
    st.none() | st.sampled_from(["de", "zh-Hant"]),
    st.sampled_from([1.0, 0.25, 2.0, 100.0]),
)
def test_what_is_written_is_read_again(content: str, language: str | None, weight: float) -> None:
    again = read_text(write(Written(content, language, weight)))
    assert (again.content, again.language) == (content, language)
    assert (again.weight or 1.0) == weight


def test_writing_is_short() -> None:
    assert write(Written("snow", None, 1.0)) == "snow"
    assert write(Written("snow", "en", 1.0)) == "snow@en"
    assert write(Written("snow", "en", 0.5)) == "snow@en,0.5"
    assert write(Written("snow", None, 100.0)) == "snow@100"
