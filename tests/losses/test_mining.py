"""Negatives are drawn by how hard they are, and positives are never among them."""

from __future__ import annotations

import torch

from polyglance.losses.mining import mined_pairs


def as_mask(pairs: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    mask = torch.zeros_like(like)
    mask[pairs[:, 0], pairs[:, 1]] = True
    return mask


def test_every_row_and_column_has_its_positives_and_negatives() -> None:
    torch.manual_seed(0)
    positives = torch.eye(6, dtype=torch.bool)
    positives[0, 1] = positives[4, 5] = True
    positives = torch.cat([positives, positives[:, :3]], dim=1)  # several texts a picture
    logits = 5 * torch.randn(6, 9)
    pairs = mined_pairs(logits, positives, negatives=2)
    assert len(pairs.unique(dim=0)) == len(pairs)
    chosen = as_mask(pairs, positives)
    assert chosen[positives].all()
    negatives = chosen & ~positives
    assert (negatives.sum(0) >= 2).all()
    assert (negatives.sum(1) >= 2).all()
    assert negatives.sum() <= 2 * 6 + 2 * 9


def test_negatives_are_drawn_by_the_softmax_of_their_similarity() -> None:
    torch.manual_seed(0)
    rows = 20_000
    logits = torch.tensor([[9.0, 2.0, 1.0, 0.0]]).expand(rows, 4)
    positives = torch.tensor([[True, False, False, False]]).expand(rows, 4)
    pairs = mined_pairs(logits, positives, negatives=1)
    mined = as_mask(pairs, positives)[:, 1:].float()
    # Each column draws one of so many rows as well, which does not show.
    torch.testing.assert_close(
        mined.mean(0), torch.tensor([2.0, 1.0, 0.0]).softmax(0), atol=0.01, rtol=0
    )


def test_a_certain_negative_is_taken_and_a_positive_never() -> None:
    logits = torch.full((3, 3), -50.0)
    logits[0, 1] = logits[1, 2] = logits[2, 0] = 50.0
    logits[0, 0] = 500.0
    chosen = as_mask(mined_pairs(logits, torch.eye(3, dtype=torch.bool), negatives=1), logits > 0)
    hard = (logits > 0) & ~torch.eye(3, dtype=torch.bool)
    assert torch.equal(chosen, hard | torch.eye(3, dtype=torch.bool))


def test_where_all_are_positives_there_is_nothing_to_mine() -> None:
    everything = torch.ones(2, 3, dtype=torch.bool)
    assert len(mined_pairs(torch.zeros(2, 3), everything, negatives=4)) == 6
    few = torch.tensor([[True, False]])
    assert mined_pairs(torch.zeros(1, 2), few, negatives=5).tolist() == [[0, 0], [0, 1]]
