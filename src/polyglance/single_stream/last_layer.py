"""What a transformer's last layer makes of the first place alone.

A pair's score is read from ``[CLS]``. All places tell it something in the last layer, but what that
layer makes of them is never looked at: a third of the work of three layers, a twelfth of twelve.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from polyglance.single_stream.attention import attend


def first_state(layers: Any, states: Tensor, mask: Tensor) -> Tensor:
    """The state of the first place behind all layers, as if all had been computed.

    Args:
        layers: of the transformers library, of the families of BERT, RoBERTa, XLM-R and ELECTRA,
            which are built alike; of others all is computed.
        states: (n, length, width), their input.
        mask: (n, 1, 1, length) bool, true where there is something to attend to.

    Returns:
        (n, width).
    """
    if not hasattr(layers, "layer") or not hasattr(layers.layer[-1], "feed_forward_chunk"):
        output: Tensor = layers(states, attention_mask=mask).last_hidden_state
        return output[:, 0]
    *below, last = layers.layer
    for layer in below:
        states = layer(states, attention_mask=mask)
    attention, first = last.attention, states[:, :1]  # (n, 1, width)
    own = attention.self
    found, _ = attend(
        own,
        _heads(own.query(first), own.num_attention_heads),
        _heads(own.key(states), own.num_attention_heads),
        _heads(own.value(states), own.num_attention_heads),
        mask,
        scaling=own.scaling,
        dropout=own.dropout.p if own.training else 0.0,
    )  # (n, 1, heads, width / heads)
    attended = attention.output(found.flatten(2), first)  # (n, 1, width)
    state: Tensor = last.feed_forward_chunk(attended)
    return state[:, 0]


def _heads(states: Tensor, heads: int) -> Tensor:
    """(n, length, width) → (n, heads, length, width / heads)."""
    return states.view(*states.shape[:2], heads, -1).transpose(1, 2)
