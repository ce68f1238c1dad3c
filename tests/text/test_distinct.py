"""The table of a batch's words, against a plain loop."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from polyglance.text.distinct import distinct_words

texts = st.lists(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=6), min_size=1)


@given(texts, st.lists(st.sampled_from("xyab"), unique=True))
def test_against_a_loop(texts: list[list[str]], first: list[str]) -> None:
    words, index, lengths = distinct_words(texts, first=first)
    seen = list(first)
    for text in texts:
        seen += [word for word in dict.fromkeys(text) if word not in seen]
    assert words == seen
    assert lengths.tolist() == [len(text) for text in texts]
    assert index.shape == (len(texts), max(map(len, texts)))
    for row, text in zip(index.tolist(), texts, strict=True):
        assert [words[number] for number in row[: len(text)]] == text
        assert set(row[len(text) :]) <= {0}


def test_no_texts() -> None:
    words, index, lengths = distinct_words([])
    assert (words, index.shape, lengths.shape) == ([], (0, 0), (0,))
