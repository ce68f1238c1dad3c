"""Alignment of the words of two texts by optimal transport."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from polyglance.losses.pairs import check_positive
from polyglance.precision import at_least_float32, full_precision
from polyglance.unit import unit_rows


class TransportLoss(nn.Module):
    """What it costs to carry the words of each text over to those of its translation.

    With words x_1 … x_a of a text and y_1 … y_b of the other, all of a text weighing the same::

        C_ij = 1 − cos(x_i, y_j)      ⟨T*, C⟩ = Σ_ij T*_ij C_ij

    where T* is the plan of :func:`sinkhorn`. Nobody says which word translates which: the plan is
    the cheapest alignment, and the loss brings closer what it aligns. No gradient goes through the
    plan.

    That words are aligned by optimal transport is what is known of CL2CM (Wang et al., AAAI 2024);
    this form of it is our interpretation.

    Args:
        epsilon: ε of the entropy.
        iterations: of Sinkhorn's algorithm.

    Raises:
        ValueError: either is not positive.
    """

    def __init__(self, *, epsilon: float = 0.1, iterations: int = 20) -> None:
        super().__init__()
        check_positive("epsilon", epsilon, "it divides the costs")
        check_positive("iterations", iterations, "a plan has to be computed")
        self.epsilon = epsilon
        self.iterations = iterations

    def forward(
        self, first: Tensor, second: Tensor, first_mask: Tensor, second_mask: Tensor
    ) -> Tensor:
        """The mean cost over pairs of texts.

        Args:
            first: (pairs, a, dim) words of texts, of any length.
            second: (pairs, b, dim) words of their translations.
            first_mask: (pairs, a) bool, true where there is a word.
            second_mask: (pairs, b) bool.

        Returns:
            A scalar, between 0 and 2; 0 for no pairs. A pair with an empty side costs nothing.
        """
        with full_precision(first):
            similarity = unit_rows(first) @ unit_rows(second).mT  # (pairs, a, b)
        cost = 1 - similarity
        plan = sinkhorn(
            cost, first_mask, second_mask, epsilon=self.epsilon, iterations=self.iterations
        )
        return (plan * cost).sum() / max(len(cost), 1)


@torch.no_grad()
def sinkhorn(
    cost: Tensor,
    row_mask: Tensor,
    column_mask: Tensor,
    *,
    epsilon: float,
    iterations: int,
) -> Tensor:
    """Plans of entropic optimal transport between uniform weights, in the log domain.

    Each minimises ⟨T, C⟩ − ε H(T) over the T ≥ 0 whose rows sum to 1/a and whose columns to 1/b
    (Cuturi, NeurIPS 2013, equation 2), by scaling rows and columns in turn (algorithm 1). What is
    kept are the scalings' logarithms, since exp(−2/.01) is no float32 above zero.

    Args:
        cost: (pairs, rows, columns).
        row_mask: (pairs, rows) bool; what is false carries no weight.
        column_mask: (pairs, columns) bool.
        epsilon: ε; the smaller, the closer to an unregularised plan and the slower to converge.
        iterations: of both scalings. Columns come last and always hold; rows as far as it has
            converged.

    Returns:
        (pairs, rows, columns) float32 or better, without gradient; zero where either side is
        masked.
    """
    cost = at_least_float32(cost)
    log_kernel = -cost / epsilon  # (pairs, rows, columns)
    log_rows, log_columns = _log_uniform(row_mask, cost), _log_uniform(column_mask, cost)
    columns = torch.zeros_like(log_columns).masked_fill(~column_mask, -math.inf)
    rows = torch.zeros_like(log_rows)
    for _ in range(iterations):
        rows = log_rows - (log_kernel + columns[:, None, :]).logsumexp(2)  # (pairs, rows)
        columns = log_columns - (log_kernel + rows[:, :, None]).logsumexp(1)  # (pairs, columns)
    plan = (log_kernel + rows[:, :, None] + columns[:, None, :]).exp()
    # An empty side has NaN for scalings, and nothing but masked places.
    return plan.masked_fill(~(row_mask[:, :, None] & column_mask[:, None, :]), 0.0)


def _log_uniform(mask: Tensor, like: Tensor) -> Tensor:
    """(pairs, length) logarithms of equal weights that sum to 1 where the mask is true."""
    each = -mask.sum(1, keepdim=True).clamp(min=1).to(like).log()  # (pairs, 1)
    return each.expand(mask.shape).masked_fill(~mask, -math.inf)
