"""How a score stands beside what is found for texts that match nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from polyglance.errors import QueryError
from polyglance.search.hit import Hit
from polyglance.search.relevance import (
    GOOD,
    NEIGHBOURS,
    Calibration,
    check_relevance,
    nothing_matches,
    reference_texts,
)


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), dtype=np.float32)


def two_styles(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows along two axes, half of them each, and which axis."""
    style = np.arange(count) % 2
    rows = 0.1 * random.standard_normal((count, 8))
    rows[np.arange(count), style] += 1
    return unit(rows), style


def test_one_in_ten_queries_for_nothing_is_taken_for_a_match_in_either_style() -> None:
    """Words score 0.2 where nothing matches, sentences 0.3; 0.29 is a match of words alone."""
    random = np.random.default_rng(0)
    typical = np.array([0.2, 0.3])
    references, style = two_styles(random, 128)
    best = typical[style] + 0.02 * random.standard_normal(128)
    calibration = Calibration(references, best.astype(np.float32))
    assert calibration.spread == pytest.approx(0.02, rel=0.2)
    queries, style = two_styles(random, 2000)
    scores = typical[style] + 0.02 * random.standard_normal(2000)
    relevance = np.array(
        [
            calibration.background(query).cdf(score)
            for query, score in zip(queries, scores, strict=True)
        ]
    )
    for each in (0, 1):
        assert np.mean(relevance[style == each] >= GOOD) == pytest.approx(0.1, abs=0.05)
    word, sentence = np.eye(8, dtype=np.float32)[:2]
    assert calibration.background(word).cdf(0.29) > 0.99
    assert calibration.background(sentence).cdf(0.29) < 0.6


def test_background_is_the_mean_of_the_nearest_references() -> None:
    random = np.random.default_rng(1)
    references = unit(random.standard_normal((40, 6)))
    best = random.uniform(0.1, 0.4, 40).astype(np.float32)
    query = unit(random.standard_normal(6))
    near = sorted(range(40), key=lambda i: -float(references[i] @ query))[:NEIGHBOURS]
    background = Calibration(references, best).background(query)
    assert background.mean == pytest.approx(np.mean([best[i] for i in near]), abs=1e-6)


def test_a_model_that_scores_all_references_alike_still_tells_more_from_less() -> None:
    references = unit(np.ones((20, 3)))
    background = Calibration(references, np.full(20, 0.5, np.float32)).background(references[0])
    assert background.cdf(0.5) == pytest.approx(0.5, abs=0.01)
    assert background.cdf(0.6) > 0.99


def hit(relevance: float | None) -> Hit:
    return Hit(
        id="0" * 16,
        path=Path("a.png"),
        name="a.png",
        score=0.3,
        width=1,
        height=1,
        taken=None,
        content="",
        relevance=relevance,
    )


def test_the_best_hit_says_whether_anything_matches() -> None:
    assert nothing_matches([hit(0.89), hit(0.1)])
    assert not nothing_matches([hit(0.9), hit(0.1)])
    assert not nothing_matches([hit(None)])
    assert not nothing_matches([])


@pytest.mark.parametrize("least", [-0.1, 1.01, float("nan")])
def test_no_relevance(least: float) -> None:
    with pytest.raises(QueryError, match="must be between 0 and 1"):
        check_relevance(least)


def test_references_are_words_and_sentences_in_every_language() -> None:
    by_language: dict[str, list[str]] = {}
    for tag, text in reference_texts():
        by_language.setdefault(tag, []).append(text)
    assert {len(set(texts)) for texts in by_language.values()} == {20}
    assert len(by_language) > 1
