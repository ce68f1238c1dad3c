"""The contract of every text encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn

from polyglance.features import Features


class TextEncoder(nn.Module, ABC):
    """Texts in, :class:`Features` out, in two steps.

    ``prepare`` turns strings into tensors without gradients (tokens, lengths, or the output of a
    frozen encoder), so that it can run ahead of the step or be cached; ``forward`` is the part
    that learns. The tokenizer belongs to the encoder and travels with its checkpoint.

    Attributes:
        dimension: of the embeddings.
        has_words: whether it reads words that it could hand on.
        keep_tokens: whether it does; it may be changed from one batch to the next.
    """

    dimension: int
    has_words: ClassVar[bool] = False
    keep_tokens: bool = False

    @abstractmethod
    def prepare(self, texts: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        """Tensors for ``texts``. ``languages``: one BCP-47 tag a text.

        They belong together: some have a row for each text, others one for each distinct word.
        """

    @abstractmethod
    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """Encode what ``prepare`` returned. An embedding never depends on its batch."""

    def save_tokenizer(self, folder: Path) -> None:
        """Write what ``prepare`` needs besides weights into a checkpoint's folder, if anything."""

    def parts(self) -> dict[str, nn.Module]:
        """Part name → module, for freezing: ``encoder`` and, where there is one, ``head``."""
        return {"encoder": self}
