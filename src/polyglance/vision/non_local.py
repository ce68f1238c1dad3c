"""Non-local blocks: every region of a picture looks at all others.

After Wang et al. ("Non-local neural networks", CVPR 2018) in the forms that Wehrmann et al.
("Language-agnostic visual-semantic embeddings", ICCV 2019, section 2.3 and table 6) compare. The
paper's one-dimensional convolutions have kernels of one: linear layers over each region.

Deviation: a mask keeps padding out of the attention, so that a picture's regions do not depend on
how many regions the pictures beside it have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.precision import at_least_float32, full_precision

NonLocalForm = Literal["paper", "residual", "linear", "without-reduction", "none"]
"""``paper``: equation 1. ``linear``: without its non-linearity. ``without-reduction``: queries,
keys and values as wide as the regions. ``residual``: the form that the authors published with
their code. ``none``: no block."""

REDUCTION = 8
NEGATIVE_SLOPE = 0.1


class NonLocal(nn.Module, ABC):
    """(batch, regions, channels) → (batch, regions, ``output_channels``).

    Attributes:
        output_channels: of a region behind the block.
    """

    output_channels: int

    @abstractmethod
    def forward(self, regions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Let regions look at one another.

        Args:
            regions: (batch, regions, channels).
            mask: (batch, regions), false where a region is padding and is not looked at.
        """


class AttentionBlock(NonLocal):
    """Equation 1: σ(softmax(q(x)ᵀ k(x)) v(x)), σ a leaky rectifier of slope .1 below zero.

    The block's output takes the place of the regions: nothing is added to it.

    Args:
        channels: of a region.
        reduction: queries, keys and values have so many times fewer channels.
        activation: whether to apply σ.

    Raises:
        ValueError: ``channels`` is less than ``reduction``.
    """

    def __init__(
        self, *, channels: int, reduction: int = REDUCTION, activation: bool = True
    ) -> None:
        super().__init__()
        self.output_channels = _reduced(channels, reduction)
        self.activation = activation
        self.query = nn.Linear(channels, self.output_channels)
        self.key = nn.Linear(channels, self.output_channels)
        self.value = nn.Linear(channels, self.output_channels)

    def forward(self, regions: Tensor, mask: Tensor | None = None) -> Tensor:
        """(batch, regions, channels) → (batch, regions, channels / reduction)."""
        weights = attention(self.query(regions), self.key(regions), mask)
        seen = weights @ at_least_float32(self.value(regions))  # (batch, regions, reduced)
        return functional.leaky_relu(seen, NEGATIVE_SLOPE) if self.activation else seen


class ResidualBlock(NonLocal):
    """x + γ softmax(q(x)ᵀ k(x)) v(x), γ learned from 0: the block starts as the identity.

    The self-attention layer of Zhang et al. ("Self-attention generative adversarial networks",
    ICML 2019, equations 1 and 3) with a value as wide as the regions, which stands in the code
    that the paper's authors published; there is no non-linearity in it.

    Args:
        channels: of a region.
        reduction: queries and keys have so many times fewer channels.

    Raises:
        ValueError: ``channels`` is less than ``reduction``.
    """

    def __init__(self, *, channels: int, reduction: int = REDUCTION) -> None:
        super().__init__()
        self.output_channels = channels
        self.query = nn.Linear(channels, _reduced(channels, reduction))
        self.key = nn.Linear(channels, _reduced(channels, reduction))
        self.value = nn.Linear(channels, channels)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, regions: Tensor, mask: Tensor | None = None) -> Tensor:
        """(batch, regions, channels) → the same shape."""
        weights = attention(self.query(regions), self.key(regions), mask)
        seen = weights @ at_least_float32(self.value(regions))  # (batch, regions, channels)
        return regions + self.gamma * seen


def attention(queries: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
    """softmax(q kᵀ) over the keys, as equation 1 has it: without a temperature.

    In float32 whatever autocast says: logits are sums over hundreds of channels, and what
    bfloat16 rounds away of them the exponential would bring back.

    Args:
        queries: (batch, queries, channels).
        keys: (batch, keys, channels).
        mask: (batch, keys), false where nothing may be looked at; at least one is true.

    Returns:
        (batch, queries, keys), rows that sum to 1.
    """
    with full_precision(queries):
        logits = at_least_float32(queries) @ at_least_float32(keys).mT  # (batch, queries, keys)
    if mask is not None:
        # Not −∞: a picture of padding alone would be not a number.
        logits = logits.masked_fill(~mask[:, None], torch.finfo(logits.dtype).min)
    return logits.softmax(-1)


def build_non_local(form: NonLocalForm, channels: int) -> NonLocal | None:
    """The block of that form over regions of so many channels; ``None`` for ``none``."""
    match form:
        case "paper":
            return AttentionBlock(channels=channels)
        case "linear":
            return AttentionBlock(channels=channels, activation=False)
        case "without-reduction":
            return AttentionBlock(channels=channels, reduction=1)
        case "residual":
            return ResidualBlock(channels=channels)
        case "none":
            return None
        case _:
            assert_never(form)


def _reduced(channels: int, reduction: int) -> int:
    if not 1 <= reduction <= channels:
        raise ValueError(f"{channels} channels cannot be reduced {reduction}-fold")
    return channels // reduction
