"""Monolingual text: reading it, and batches that depend on seed and step alone."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyglance.data.monolingual import MonolingualSampler, read_sentences
from polyglance.errors import ConfigError, ManifestError


def corpus(**sizes: int) -> dict[str, list[str]]:
    return {tag: [f"{tag} {n}" for n in range(size)] for tag, size in sizes.items()}


def drawn(sampler: MonolingualSampler, steps: range) -> list[str]:
    return [text for step in steps for text in sampler.batch(step).texts]


def test_files_are_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "a.cs").write_bytes("koc\u030cka\r\n\n   \n pes \n".encode())
    (tmp_path / "b.cs.gz").write_bytes(gzip.compress(b"kos\n"))
    (tmp_path / "en").write_bytes("a\u2028cat\n".encode())
    files = {"cs": [tmp_path / "a.cs", tmp_path / "b.cs.gz"], "en": [tmp_path / "en"]}
    assert read_sentences(files) == {"cs": ["kočka", "pes", "kos"], "en": ["a\u2028cat"]}
    with pytest.raises(ManifestError, match=r"c\.cs: cannot be read"):
        read_sentences({"cs": [tmp_path / "c.cs"]})


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    batch_size=st.integers(1, 16),
    seed=st.integers(0, 99),
)
def test_every_sentence_comes_once_a_round(sizes: list[int], batch_size: int, seed: int) -> None:
    sentences = corpus(**dict(zip(("de", "en", "fr"), sizes, strict=False)))
    sampler = MonolingualSampler(sentences, batch_size=batch_size, seed=seed)
    steps = -(-sum(sizes) // batch_size)
    for turn in range(2):
        found: list[str] = []
        for step in range(turn * steps, (turn + 1) * steps):
            batch = sampler.batch(step)
            assert [text.split()[0] for text in batch.texts] == batch.languages
            assert abs(len(batch.texts) - sum(sizes) / steps) < 1
            found += batch.texts
        assert sorted(found) == sorted(text for _, text in sampler.texts())


def test_weights_are_the_shares_of_a_round_and_still_leave_nothing_out() -> None:
    sampler = MonolingualSampler(
        corpus(en=90, de=10), batch_size=10, weights={"en": 1.0, "de": 3.0}, seed=5
    )
    first = drawn(sampler, range(10))  # 100 sentences: one round
    assert Counter(text.split()[0] for text in first) == {"de": 75, "en": 25}
    german = Counter(text for text in first if text.startswith("de"))
    assert len(german) == 10
    assert set(german.values()) == {7, 8}  # seven passes over ten sentences, and half of another
    four = drawn(sampler, range(40))
    assert set(Counter(text for text in four if text.startswith("de")).values()) == {30}
    english = [text for text in four if text.startswith("en")]
    assert len(set(english[:75])) == 75  # a pass goes over the ends of rounds
    assert len(set(english)) == 90
    few = MonolingualSampler(corpus(en=9, de=9), batch_size=4, weights={"de": 2.0})
    assert few.languages == ("de",)
    assert set(drawn(few, range(9))) == set(corpus(de=9)["de"])


def test_batches_depend_on_seed_and_step_alone() -> None:
    def texts(seed: int, step: int) -> list[str]:
        return MonolingualSampler(corpus(en=20, de=11), batch_size=7, seed=seed).batch(step).texts

    sampler = MonolingualSampler(corpus(en=20, de=11), batch_size=7, seed=3)
    for step in (11, 0, 4, 11):
        assert sampler.batch(step).texts == texts(3, step)
    assert texts(3, 0) != texts(4, 0)
    assert texts(3, 0) != texts(3, 5)  # the next round begins with others


def test_changed_text_refuses_to_resume() -> None:
    state = MonolingualSampler(corpus(en=5), batch_size=2).state_dict()
    MonolingualSampler(corpus(en=5), batch_size=2).load_state_dict(state)
    for changed in (
        MonolingualSampler(corpus(en=6), batch_size=2),
        MonolingualSampler(corpus(en=5), batch_size=3),
        MonolingualSampler(corpus(de=5), batch_size=2),
        MonolingualSampler(corpus(en=5), batch_size=2, seed=1),
    ):
        with pytest.raises(ConfigError, match="monolingual text or its settings have changed"):
            changed.load_state_dict(state)
    with pytest.raises(ConfigError, match="digest None"):
        changed.load_state_dict({})  # of a run that had no such text


def test_languages_without_sentences_are_named() -> None:
    with pytest.raises(ConfigError, match="no sentence in 'cs'"):
        MonolingualSampler(corpus(en=3), batch_size=2, weights={"en": 1.0, "cs": 1.0})
    with pytest.raises(ConfigError, match="no sentence in 'de'"):
        MonolingualSampler({"en": ["a"], "de": []}, batch_size=2)
