"""Parallel text: aligned files, and batches that depend on seed and step alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyglance.data.parallel import ParallelSampler, read_aligned
from polyglance.errors import ConfigError, ManifestError


def corpus(count: int) -> list[dict[str, str]]:
    return [{"en": f"line {n}", "de": f"Zeile {n}", "fr": f"ligne {n}"} for n in range(count)]


def test_files_are_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "en").write_bytes("a dog\r\n\na\u2028cat\nonly here\n".encode())
    (tmp_path / "cs").write_bytes("pes\nkocour\nkoc\u030cka\n  \n".encode())
    assert read_aligned({"en": tmp_path / "en", "cs": tmp_path / "cs"}) == [
        {"en": "a dog", "cs": "pes"},
        {"cs": "kocour"},
        {"en": "a\u2028cat", "cs": "kočka"},  # NFC; other line separators are text
        {"en": "only here"},
    ]


def test_files_of_unequal_length_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_text("one\ntwo\n")
    (tmp_path / "a.de").write_text("eins\n")
    with pytest.raises(ManifestError, match=r"a\.de has 1 lines, .*a\.en has 2"):
        read_aligned({"en": tmp_path / "a.en", "de": tmp_path / "a.de"})
    with pytest.raises(ManifestError, match=r"a\.fr: cannot be read"):
        read_aligned({"en": tmp_path / "a.en", "fr": tmp_path / "a.fr"})


@settings(deadline=None, max_examples=40)
@given(count=st.integers(1, 40), batch_size=st.integers(1, 16), seed=st.integers(0, 99))
def test_every_sentence_comes_once_a_round(count: int, batch_size: int, seed: int) -> None:
    sampler = ParallelSampler(corpus(count), pivot="en", batch_size=batch_size, seed=seed)
    steps = -(-count // batch_size)
    for turn in range(2):
        drawn: list[str] = []
        for step in range(turn * steps, (turn + 1) * steps):
            german, french = sampler.batch(step)
            assert (german.language, french.language) == ("de", "fr")
            assert german.pivots == french.pivots
            assert abs(len(german.pivots) - count / steps) < 1
            numbers = [text.split()[1] for text in german.pivots]
            assert [text.split()[1] for text in german.translations] == numbers
            drawn += numbers
        assert sorted(drawn) == sorted(str(n) for n in range(count))


def test_batches_depend_on_seed_and_step_alone() -> None:
    def drawn(seed: int, step: int) -> list[str]:
        return (
            ParallelSampler(corpus(30), pivot="en", batch_size=7, seed=seed).batch(step)[0].pivots
        )

    sampler = ParallelSampler(corpus(30), pivot="en", batch_size=7, seed=3)
    for step in (11, 0, 4, 11):
        assert sampler.batch(step)[0].pivots == drawn(3, step)
    assert drawn(3, 0) != drawn(4, 0)
    assert drawn(3, 0) != drawn(3, 5)  # the next round begins with others


def test_a_language_pair_has_the_sentences_that_are_in_both() -> None:
    rows = [{"en": "a", "de": "b"}, {"en": "c", "fr": "d"}, {"de": "e", "fr": "f"}, {"en": "g"}]
    sampler = ParallelSampler(rows, pivot="en", batch_size=9)
    assert sampler.languages == ("en", "de", "fr")
    german, french = sampler.batch(0)
    assert (german.pivots, german.translations) == (["a"], ["b"])
    assert (french.pivots, french.translations) == (["c"], ["d"])
    assert sorted(text for _, text in sampler.texts()) == ["a", "b", "c", "d"]


def test_the_very_same_sentences_share_an_identity() -> None:
    rows = [{"en": "A dog.", "de": "x"}, {"en": "a  dog", "de": "y"}, {"en": "a cat", "de": "y!"}]
    (pairs,) = ParallelSampler(rows, pivot="en", batch_size=3).batch(0)
    place = {text: row for row, text in enumerate(pairs.pivots)}
    dog, same, cat = place["A dog."], place["a  dog"], place["a cat"]
    positives = pairs.positives
    assert positives[dog, same]
    assert positives[same, cat]  # their translations are the same
    assert not positives[dog, cat]
    assert positives.equal(positives.T)


def test_changed_text_refuses_to_resume() -> None:
    state = ParallelSampler(corpus(5), pivot="en", batch_size=2).state_dict()
    ParallelSampler(corpus(5), pivot="en", batch_size=2).load_state_dict(state)
    for changed in (
        ParallelSampler(corpus(6), pivot="en", batch_size=2),
        ParallelSampler(corpus(5), pivot="en", batch_size=3),
        ParallelSampler(corpus(5), pivot="de", batch_size=2),
    ):
        with pytest.raises(ConfigError, match=r"parallel text .*changed"):
            changed.load_state_dict(state)


def test_a_pivot_without_translations() -> None:
    with pytest.raises(ConfigError, match=r"no sentence in 'cs'.*: de, en, fr"):
        ParallelSampler(corpus(3), pivot="cs", batch_size=2)
