"""Dictionary induction, counted by hand."""

from __future__ import annotations

import pytest
import torch

from polyglance.errors import ConfigError
from polyglance.vectors.dictionary import Translations
from polyglance.vectors.quality import induce
from polyglance.vectors.space import BilingualSpace, WordSpace


def circle(*degrees: float, letter: str) -> WordSpace:
    angles = torch.deg2rad(torch.tensor(degrees))
    vectors = 3 * torch.stack([angles.cos(), angles.sin()], dim=1)
    return WordSpace([f"{letter}{row}" for row in range(len(degrees))], vectors)


def translations(*pairs: tuple[int, int], asked: int = 8) -> Translations:
    return Translations(torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2), asked)


SPACE = BilingualSpace(
    circle(0, 90, 180, 270, letter="s"),
    circle(*(5 * step for step in range(12)), 91, 183, letter="t"),
)


def test_a_translation_among_the_first() -> None:
    """s0 at 0°: t0, t1 … by nearness; s1: t12 at 91°; s2: t13, and t12 far behind."""
    found = induce(SPACE, translations((0, 3), (0, 7), (1, 12), (2, 0)), method="cosine")
    assert found.words == 3
    assert found.candidates == 14
    assert found.coverage == 3 / 8
    percent = {k: share.percent for k, share in found.precision.items()}
    assert percent == pytest.approx({1: 100 / 3, 5: 200 / 3, 10: 200 / 3})


def test_several_translations_count_once() -> None:
    found = induce(SPACE, translations((0, 0), (0, 1), (0, 2), (1, 13)), method="cosine")
    assert found.precision[1].percent == 50
    assert found.precision[10].percent == 50  # t13 is the farthest of s1


def test_fewer_candidates_than_ranks() -> None:
    small = BilingualSpace(SPACE.source, circle(80, 100, letter="t"))
    assert induce(small, translations((0, 1)), method="cosine").precision[10].percent == 100


def test_csls_looks_at_all_words() -> None:
    """t0 is nearest to s0 and s1 both; s0 has it for itself, so that s1 gets its own."""
    source = circle(0, 12, 170, 190, letter="s")
    target = circle(4, 22, 175, 185, letter="t")
    space = BilingualSpace(source, target)
    wanted = translations((1, 1))
    assert induce(space, wanted, method="cosine").precision[1].percent == 0
    assert induce(space, wanted, neighbours=2).precision[1].percent == 100


def test_intervals() -> None:
    share = induce(
        SPACE, translations((0, 0), (1, 12), (2, 13), (3, 0)), method="cosine"
    ).precision[1]
    assert share.percent == 75
    assert (share.low, share.high) == pytest.approx((30.06, 95.44), abs=0.01)  # Wilson's, 3 of 4
    certain = induce(SPACE, translations((0, 0)), method="cosine").precision[1]
    assert certain.high == 100
    assert 0 < certain.low < 50


def test_nothing_to_ask() -> None:
    with pytest.raises(ConfigError, match="nothing can be measured"):
        induce(SPACE, translations())
