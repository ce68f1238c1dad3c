"""Attention over sequences as short as a caption and its regions.

The library's fused kernels save memory that grows with the square of a sequence; on a processor
they pay for it with time, most of all in the backward pass. Captions are short enough to form all
weights at once, which is plain matrix products. Accelerators keep their fused kernels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "polyglance-short"  # in the transformers library's table of attention functions


def use_short_attention(model: PreTrainedModel) -> None:
    """Let all layers of a model of the transformers library attend by :func:`attend`."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)
    model.set_attn_implementation(NAME)


def attend(
    module: nn.Module,  # noqa: ARG001 -- the library gives the layer
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    *,
    scaling: float,
    dropout: float = 0.0,
    **_: object,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention (Vaswani et al. 2017, equation 1), as the library calls it.

    Args:
        module: the layer that attends.
        query: (n, heads, length, dimension).
        key: as ``query``.
        value: as ``query``.
        attention_mask: (n, 1, 1, length) bool, true where there is something to attend to; there is
            in every row.
        scaling: of the products.
        dropout: probability, on the weights.

    Returns:
        (n, length, heads, dimension), and no weights.
    """
    if query.device.type == "cpu":
        products = (query * scaling) @ key.mT  # (n, heads, length, length)
        weights = products.masked_fill(~attention_mask, float("-inf")).softmax(-1)
        found = functional.dropout(weights, dropout) @ value  # (n, heads, length, dimension)
    else:
        found = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attention_mask, dropout_p=dropout, scale=scaling
        )
    return found.transpose(1, 2), None
