"""Pairs that are worth a pass of a model that is slow to compare, chosen by one that is fast."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def mined_pairs(similarity: Tensor, positives: Tensor, *, negatives: int) -> Tensor:
    """All positives, and for each row and each column a few negatives, hard ones above all.

    A negative is drawn, without replacement, with the probability that a softmax over the
    similarities to all negatives gives it, as Li et al., "Align before fuse" (NeurIPS 2021, section
    3.2), draw one for each picture and each text.

    Args:
        similarity: (rows, columns) logits by the fast model.
        positives: (rows, columns) bool.
        negatives: how many for each row and each column; fewer where there are fewer.

    Returns:
        (pairs, 2) int64 rows and columns, each pair once.
    """
    free = similarity.masked_fill(positives, -torch.inf)
    chosen = positives | _drawn(free, negatives) | _drawn(free.T, negatives).T
    return chosen.nonzero()


def _drawn(logits: Tensor, count: int) -> Tensor:
    """(rows, columns) → bool, up to ``count`` true a row; never where a logit is −∞."""
    # The largest of logits with Gumbel noise are drawn from their softmax without replacement.
    noise = -torch.empty_like(logits).exponential_().log()
    best = (logits + noise).topk(min(count, logits.shape[1]), dim=1).indices
    drawn = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, best, value=True)
    return drawn & (logits > -torch.inf)
