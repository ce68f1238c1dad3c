"""A text tower of sentence-transformers: a transformer, a pooling, linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn

from polyglance.text.pooling import masked_mean

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ACTIVATIONS: dict[str, type[nn.Module]] = {"identity": nn.Identity, "tanh": nn.Tanh}


class Dense(nn.Module):
    """A linear layer and an activation, with the names of weights that sentence-transformers has.

    Args:
        inputs: dimensions of the input.
        outputs: dimensions of the result.
        bias: whether it has one.
        activation: of :data:`ACTIVATIONS`.
    """

    def __init__(self, *, inputs: int, outputs: int, bias: bool, activation: str) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=bias)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, inputs: Tensor) -> Tensor:
        """(texts, inputs) → (texts, outputs)."""
        outputs: Tensor = self.activation(self.linear(inputs))
        return outputs


class SentenceTower(nn.Module):
    """Tokens to one vector in the space of another model's pictures.

    Multilingual towers are taught so: the vector of a translation is to be that of CLIP for the
    original (Reimers and Gurevych, EMNLP 2020).

    Args:
        transformer: a text encoder without a pooler.
        pooling: the ``mean`` of its last states, or the ``first`` of them.
        dense: layers behind it.
    """

    def __init__(
        self,
        *,
        transformer: PreTrainedModel,
        pooling: Literal["mean", "first"],
        dense: Sequence[Dense],
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.pooling = pooling
        self.dense = nn.Sequential(*dense)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(texts, length) each → (texts, dimension), of any length."""
        output = self.transformer(input_ids=input_ids, attention_mask=attention_mask)
        states: Tensor = output.last_hidden_state  # (texts, length, width)
        mean = self.pooling == "mean"
        pooled = masked_mean(states, attention_mask.bool()) if mean else states[:, 0]
        vectors: Tensor = self.dense(pooled)
        return vectors
