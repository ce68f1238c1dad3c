"""Hidden words and regions, against loops over words that use the same draws."""

from __future__ import annotations

import pytest
import torch
from tests.pretraining.tiny import ENGLISH, GERMAN, tiny_tokenizer
from torch import Tensor

from polyglance.pretraining.masking import IGNORED, WordMasking, mask_regions, mask_words
from polyglance.single_stream.tokens import Tokens

MASK, ORDINARY = 7, torch.arange(100, 200)


def tokens(*rows: list[int]) -> Tokens:
    """Rows of word numbers; ids are 10 times the place, plus 1000."""
    longest = max(map(len, rows))
    words = torch.tensor([row + [-1] * (longest - len(row)) for row in rows])
    zeros = torch.zeros_like(words)
    ids = 1000 + 10 * torch.arange(words.numel()).view_as(words)
    return Tokens(ids, zeros, zeros, zeros, words, words >= 0)


TEXTS = tokens(
    [-1, 0, 0, 1, 2, 2, 2, 3, -1],
    [-1, 0, -1],
    [-1, -1],  # no word at all
    [-1, 2, 2, 9, 14, -1],  # a token may reach over several words, whose numbers are left out
)


def naive(tokens: Tokens, share: float) -> tuple[Tensor, Tensor]:
    """Word by word, with the draws in the order in which the function makes them."""
    most = int(tokens.words.max()) + 1
    lots, fates = torch.rand(len(tokens), most), torch.rand(len(tokens), most)
    drawn = ORDINARY[torch.randint(len(ORDINARY), tokens.ids.shape)]
    ids, targets = tokens.ids.clone(), torch.full_like(tokens.ids, -100)
    for row in range(len(tokens)):
        words = sorted({int(w) for w in tokens.words[row] if w >= 0})
        chosen = [word for word in words if lots[row, word] < share]
        if words and not chosen:
            chosen = [min(words, key=lambda word: float(lots[row, word]))]
        for word in chosen:
            for place in range(tokens.ids.shape[1]):
                if tokens.words[row, place] != word:
                    continue
                targets[row, place] = tokens.ids[row, place]
                if fates[row, word] < 0.8:
                    ids[row, place] = MASK
                elif fates[row, word] < 0.9:
                    ids[row, place] = drawn[row, place]
    return ids, targets


@pytest.mark.parametrize("share", [0.0, 0.15, 0.7])
def test_words_are_hidden_as_a_loop_hides_them(share: float) -> None:
    for seed in range(40):
        torch.manual_seed(seed)
        hidden, targets = mask_words(TEXTS, mask_id=MASK, ordinary=ORDINARY, share=share)
        torch.manual_seed(seed)
        expected_ids, expected_targets = naive(TEXTS, share)
        assert hidden.ids.equal(expected_ids)
        assert targets.equal(expected_targets)
        assert hidden.words is TEXTS.words  # and all else is as it was
        assert (targets[2] == IGNORED).all()
        assert ((targets != IGNORED).any(1) == torch.tensor([True, True, False, True])).all()


def test_how_many_are_hidden_and_behind_what() -> None:
    torch.manual_seed(0)
    many = tokens(*[[-1, *range(40), -1]] * 500)  # 20,000 words of one token
    hidden, targets = WordMasking(mask_id=MASK, ordinary=ORDINARY)(many)
    chosen = targets != IGNORED
    assert chosen.float().sum() / 20_000 == pytest.approx(0.15, abs=0.01)
    found = hidden.ids[chosen]
    assert (found == MASK).float().mean() == pytest.approx(0.8, abs=0.03)
    assert (found == many.ids[chosen]).float().mean() == pytest.approx(0.1, abs=0.03)
    others = found[(found != MASK) & (found != many.ids[chosen])]
    assert set(others.tolist()) <= set(ORDINARY.tolist())
    assert len(set(others.tolist())) > 80
    assert hidden.ids[~chosen].equal(many.ids[~chosen])


def test_both_sides_of_real_pairs_are_hidden() -> None:
    torch.manual_seed(0)
    tokenizer = tiny_tokenizer()
    pairs = tokenizer.pair(ENGLISH, GERMAN, ["en"] * 8, ["de"] * 8)
    special = torch.tensor(tokenizer.tokenizer.special_ids)
    chosen = torch.zeros_like(pairs.ids)
    for _ in range(100):
        hidden, targets = mask_words(
            pairs, mask_id=tokenizer.tokenizer.mask_id, ordinary=ORDINARY, share=0.15
        )
        assert torch.isin(targets[targets != IGNORED], pairs.ids).all()
        assert hidden.ids[~pairs.mask].equal(pairs.ids[~pairs.mask])
        chosen += targets != IGNORED
    is_special = torch.isin(pairs.ids, special)
    assert (chosen[is_special] == 0).all()
    assert (chosen[~is_special] > 0).all()


def test_regions_are_chosen_and_mostly_hidden() -> None:
    torch.manual_seed(0)
    mask = torch.rand(400, 49) < 0.8
    chosen, hidden = mask_regions(mask)
    assert not (chosen & ~mask).any()
    assert not (hidden & ~chosen).any()
    assert chosen.sum() / mask.sum() == pytest.approx(0.15, abs=0.01)
    assert hidden.sum() / chosen.sum() == pytest.approx(0.9, abs=0.02)
    torch.manual_seed(0)
    torch.rand(400, 49)
    again, _ = mask_regions(mask)
    assert again.equal(chosen)  # of the global random state and nothing else
