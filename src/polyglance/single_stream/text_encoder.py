"""A single-stream transformer that has learned languages, as the text side of a dual encoder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from polyglance.features import Features
from polyglance.heads import ProjectionHead
from polyglance.single_stream.stream import summed
from polyglance.single_stream.tokens import PairTokenizer, Tokens
from polyglance.single_stream.trunk import Trunk
from polyglance.text.base import TextEncoder
from polyglance.text.pooling import masked_mean

FILE_NAME = "stream.json"


class TextStream(nn.Module):
    """A :class:`~polyglance.single_stream.stream.SingleStream` that never sees a picture.

    Args:
        trunk: the transformer.
        languages: how many have a vector, besides the one of all others.
    """

    def __init__(self, *, trunk: Trunk, languages: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.languages = nn.Parameter(torch.zeros(1 + languages, trunk.width))
        self.no_picture = nn.Parameter(torch.zeros(trunk.width))

    def forward(self, tokens: Tokens) -> Tensor:
        """(n, length) → (n, length, width) states, those of the stream without a picture."""
        embedded = summed(self.trunk, tokens, self.languages) + self.no_picture
        states: Tensor = self.trunk(embedded, tokens.mask)
        return states


class StreamTextEncoder(TextEncoder):
    """Texts through a pretrained :class:`TextStream`, and a projection.

    What masked words of captions, of plain text and of translations have taught a transformer (MLM,
    TLM; see :mod:`polyglance.pretraining`) is a text encoder for several languages where no
    pretrained one is at hand.

    Args:
        trunk: the transformer.
        tokenizer: the one that it was pretrained with.
        head: from its width into the joint space.
        pooling: the state of the ``first`` token, or the ``mean`` of all.
        described: what the stream was built from, to be written into checkpoints.
    """

    has_words = True

    def __init__(
        self,
        *,
        trunk: Trunk,
        tokenizer: PairTokenizer,
        head: ProjectionHead,
        pooling: Literal["first", "mean"] = "mean",
        described: Mapping[str, object],
    ) -> None:
        super().__init__()
        self.dimension = head.dimension
        self.tokenizer = tokenizer
        self.pooling = pooling
        self.described = described
        self.stream = TextStream(trunk=trunk, languages=len(tokenizer.languages))
        self.head = head

    def prepare(self, texts: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        """Strings to :class:`Tokens`, by name."""
        return self.tokenizer.single(texts, languages).tensors()

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """Encode what :meth:`prepare` returned; tensors are moved to where the weights are."""
        tokens = Tokens(**inputs).to(self.stream.languages.device)
        states = self.stream(tokens)  # (n, length, width)
        pooled = states[:, 0] if self.pooling == "first" else masked_mean(states, tokens.mask)
        if not self.keep_tokens:
            return Features(self.head(pooled))
        return Features(self.head(pooled), self.head(states), tokens.mask)

    def save_tokenizer(self, folder: Path) -> None:
        """The tokenizer, the transformer's architecture, and what the stream was built from."""
        self.tokenizer.save(folder)
        self.stream.trunk.save_architecture(folder)
        (folder / FILE_NAME).write_text(json.dumps(self.described, indent=2) + "\n", "utf-8")

    def parts(self) -> dict[str, nn.Module]:
        """``encoder``: the transformer with its tables; ``head``."""
        return {"encoder": self.stream, "head": self.head}
