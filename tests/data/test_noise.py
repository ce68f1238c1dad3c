"""Simulated noise: its rates are what they say, and higher ones only add to lower ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyglance.data.noise import Noise, NoiseRates
from polyglance.text.segment import word_spans

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
MANY = {f"p{n}": tuple(" ".join(f"{w}{n}.{row}" for w in WORDS) for row in range(4))
        for n in range(200)}  # fmt: skip


def noisy(
    sentences: dict[str, tuple[str, ...]], *, language: str = "en", seed: int = 0, **rates: float
) -> dict[str, tuple[str, ...]]:
    noise = Noise(NoiseRates(**rates), spans=word_spans, seed=seed)
    return noise.add(sentences, language=language)


def flat(sentences: dict[str, tuple[str, ...]]) -> list[str]:
    return [sentence for some in sentences.values() for sentence in some]


def test_no_noise_changes_nothing() -> None:
    odd = {"a": ("  two  spaces , kept .", "x"), "b": ("一只 狗。",)}
    assert noisy(odd) == {"a": ("two  spaces , kept .", "x"), "b": ("一只 狗。",)}
    assert noisy(odd, language="zh")["b"] == odd["b"]


def test_each_rate_is_the_share_that_it_names() -> None:
    before = flat(MANY)
    words = sum(len(sentence.split()) for sentence in before)
    dropped = sum(len(sentence.split()) for sentence in flat(noisy(MANY, drop=0.3)))
    assert abs(1 - dropped / words - 0.3) < 0.02
    moved = sum(
        old != new
        for one, other in zip(before, flat(noisy(MANY, swap=0.3)), strict=True)
        for old, new in zip(one.split(), other.split(), strict=True)
    )
    assert abs(moved / words - 0.3 * 0.95) < 0.03  # at an odd place, first and last have no pair
    wrong = noisy(MANY, wrong=0.3)
    changed = [(name, new) for name, some in wrong.items() for new in some if new not in MANY[name]]
    assert abs(len(changed) / len(before) - 0.3) < 0.05
    assert all(new in before for _, new in changed)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1000),
    low=st.floats(0, 1),
    high=st.floats(0, 1),
    kind=st.sampled_from(["drop", "swap", "wrong"]),
)
def test_what_is_noisy_at_a_rate_is_noisy_at_every_higher_one(
    seed: int, low: float, high: float, kind: str
) -> None:
    low, high = sorted((low, high))
    some = dict(list(MANY.items())[:4])
    less, more = (flat(noisy(some, seed=seed, **{kind: rate})) for rate in (low, high))
    for before, lower, higher in zip(flat(some), less, more, strict=True):
        if kind == "drop":
            assert set(lower.split()) >= set(higher.split())
        elif kind == "wrong":
            assert lower in {before, higher}
        else:
            places = [[old != new for old, new in zip(before.split(), after.split(), strict=True)]
                      for after in (lower, higher)]  # fmt: skip
            assert all(b or not a for a, b in zip(*places, strict=True))
            kept = [n for n, moved in enumerate(places[0]) if moved]
            assert [lower.split()[n] for n in kept] == [higher.split()[n] for n in kept]


def test_noise_depends_on_picture_caption_and_seed_alone() -> None:
    rates = {"drop": 0.3, "swap": 0.3}
    whole = noisy(MANY, **rates)
    part = {name: MANY[name] for name in list(MANY)[50:60]}
    assert noisy(part, **rates) == {name: whole[name] for name in part}
    assert noisy(MANY, seed=1, **rates) != whole
    noise = Noise(NoiseRates(**rates), spans=word_spans)
    assert noise.add(MANY, language="en", engine="en-x-other") != whole


def test_a_sentence_never_vanishes() -> None:
    everything = noisy(MANY, drop=1.0, swap=1.0, wrong=1.0)
    assert all(len(sentence.split()) == 1 for sentence in flat(everything))
    assert all(not set(everything[name]) & set(MANY[name]) for name in MANY)
    assert noisy({"a": ("alone",)}, wrong=1.0, drop=1.0) == {"a": ("alone",)}
    assert noisy({"a": ("",)}, drop=0.5) == {"a": ("",)}


def test_languages_without_spaces_go_by_the_words_of_the_segmenter() -> None:
    sentences = {f"p{n}": ("一只黑色的狗在草地上跑。",) for n in range(40)}
    found = flat(noisy(sentences, language="zh", drop=0.2))
    assert len(set(found)) > 20
    assert all(1 < len(sentence) <= 12 for sentence in found)
    swapped = flat(noisy(sentences, language="zh-Hant", swap=0.5))
    assert all(sorted(sentence) == sorted("一只黑色的狗在草地上跑。") for sentence in swapped)
    assert len(set(swapped)) > 20
    mixed = noisy({"a": ("他用 iPad 画画",)}, language="zh", swap=1.0)["a"][0]
    assert "iPad" in mixed


def test_rates_are_shares() -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1, not 1\.5"):
        NoiseRates(drop=1.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        replace(NoiseRates(), swap=-0.1)
    assert not NoiseRates()
    assert NoiseRates(wrong=0.1)
