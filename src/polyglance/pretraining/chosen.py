"""The chosen places of a batch as rows of which there is a round number."""

from __future__ import annotations

import torch
from torch import Tensor

ROUND = 16


def chosen_rows(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Places that are chosen, and the first of all again until they are a multiple of ROUND.

    How many words or regions are hidden differs from step to step, and a processor's kernels are
    made anew for each number of rows, which costs more than a few rows too many.

    Args:
        chosen: (n, length) bool.

    Returns:
        (rows,) int64 into the flattened places, and (rows,) bool, which of them were chosen.
    """
    rows = chosen.flatten().nonzero()[:, 0]  # (chosen,)
    more = rows.new_zeros(-len(rows) % ROUND)
    filled = torch.cat([rows, more])  # (rows,)
    return filled, torch.arange(len(filled), device=rows.device) < len(rows)
