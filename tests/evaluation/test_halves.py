"""What is chosen on one half of the pictures is measured on the other."""

from __future__ import annotations

import numpy as np
import pytest

from polyglance.evaluation.halves import joined, rsum_of_half
from polyglance.evaluation.plan import Plan
from polyglance.evaluation.ranks import BothWays, Ranks
from polyglance.evaluation.reranking import TwoStages, _Told

PLAN = Plan(list("abcd"), {"en": list("aabbccdd"), "de": list("bd")}, draws=0)


def ranked(even: int, odd: int) -> dict[str, list[BothWays]]:
    """Every query of a picture at an even place finds its positive there, of an odd one here."""

    def ranks(places: list[int], pictures: list[int]) -> Ranks:
        best = [odd if picture % 2 else even for picture in pictures]
        return Ranks(np.array(places), np.array(best)[:, None], 4)

    english = BothWays(
        ranks([0, 1, 2, 3], [0, 1, 2, 3]), ranks([*range(8)], [0, 0, 1, 1, 2, 2, 3, 3])
    )
    return {"en": [english], "de": [BothWays(ranks([1, 3], [1, 3]), ranks([0, 1], [1, 3]))]}


def test_a_half_has_the_recalls_of_its_own_queries() -> None:
    found = ranked(even=1, odd=6)
    assert rsum_of_half(PLAN.parts, found, odd=True) == 200.0  # R@10 alone, both ways
    # German has captions of pictures at odd places alone, and nothing to say of the others.
    assert rsum_of_half(PLAN.parts, found, odd=False) == 600.0


def test_each_query_keeps_the_rank_of_its_own_half() -> None:
    both = joined(PLAN.parts, ranked(even=2, odd=9), ranked(even=9, odd=3))
    assert both["en"][0].rows.best.tolist() == [2, 3, 2, 3]
    assert both["en"][0].columns.best.tolist() == [2, 2, 3, 3, 2, 2, 3, 3]
    assert both["de"][0].rows.best.tolist() == [3, 3]
    assert both["de"][0].rows.queries.tolist() == [1, 3]


class Known(TwoStages):
    """Whose orders are known: a small weight is good for odd places, a large one for even ones."""

    def _ranks(self, weight: float) -> dict[str, list[BothWays]]:
        return ranked(even=6, odd=1) if weight < 1 else ranked(even=1, odd=6)


def test_no_weight_is_measured_where_it_was_chosen() -> None:
    told = _Told("first", "", "", (), ())
    stages = Known(PLAN, {}, told, ("second", ""), 4)
    crossed = stages.cross_weighted((0.5, 2.0))
    assert crossed.weights == (0.5, 2.0)  # of even places what was good for odd ones
    assert crossed.report.languages["en"].scores.text_to_image.metrics.recall_at_1 == 0.0
    assert crossed.report.model == "first"
    assert stages.best_weight((0.5, 2.0)) == 0.5  # which is good for most, and was told so by them
    with pytest.raises(ValueError, match="no weights"):
        stages.cross_weighted([])
