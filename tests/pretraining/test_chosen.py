"""Chosen places as rows: all of them, and others that are told apart, up to a round number."""

from __future__ import annotations

import pytest
import torch

from polyglance.pretraining.chosen import ROUND, chosen_rows


@pytest.mark.parametrize("count", [0, 1, ROUND, ROUND + 1])
def test_rows_are_the_chosen_places_and_a_round_number(count: int) -> None:
    chosen = torch.zeros(5, 7, dtype=torch.bool)
    places = torch.randperm(35)[:count]
    chosen.view(-1)[places] = True
    rows, real = chosen_rows(chosen)
    assert len(rows) % ROUND == 0
    assert len(rows) - count < ROUND
    assert torch.equal(rows[real], places.sort().values)
    assert (rows[~real] == 0).all()
