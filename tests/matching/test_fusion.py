"""Two matrices of scores, mixed."""

from __future__ import annotations

import pytest
import torch

from polyglance.matching.fusion import fused_scores


def test_each_is_stretched_to_between_0_and_1_and_weighed() -> None:
    first, second = torch.tensor([[1.0, 3.0], [2.0, 5.0]]), torch.tensor([[-1.0, 0.0], [1.0, 0.5]])
    expected = torch.tensor(
        [
            [0.2 * 0 / 4 + 0.8 * 0 / 2, 0.2 * 2 / 4 + 0.8 * 1 / 2],
            [0.2 * 1 / 4 + 0.8 * 2 / 2, 0.2 * 4 / 4 + 0.8 * 1.5 / 2],
        ]
    )
    torch.testing.assert_close(fused_scores(first, second, weight=0.2), expected)
    torch.testing.assert_close(fused_scores(second, first, weight=0.8), expected)


def test_scales_do_not_count() -> None:
    first, second = torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(0))
    before = fused_scores(first, second)
    torch.testing.assert_close(fused_scores(100 * first - 7, second), before)


def test_equal_scores_say_nothing() -> None:
    first = torch.rand(3, 3, generator=torch.Generator().manual_seed(0))
    found = fused_scores(first, torch.full((3, 3), 0.4))
    assert found.flatten().argsort().equal(first.flatten().argsort())
    assert torch.isfinite(found).all()
    assert fused_scores(torch.zeros(0, 3), torch.zeros(0, 3)).shape == (0, 3)


def test_half_precision_is_widened() -> None:
    assert fused_scores(torch.rand(2, 2).bfloat16(), torch.rand(2, 2)).dtype == torch.float32


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="same pairs"):
        fused_scores(torch.zeros(2, 3), torch.zeros(3, 2))
    with pytest.raises(ValueError, match="weight"):
        fused_scores(torch.zeros(2, 2), torch.zeros(2, 2), weight=1.5)
