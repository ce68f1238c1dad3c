"""Several vectors of a word behind one another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from polyglance.text.words import WordEmbedding


class JoinedWords(WordEmbedding):
    """Concatenated embeddings, such as LIWE + GloVe (Wehrmann et al. 2019, section 3.3).

    Args:
        parts: at least two, of different kinds.

    Raises:
        ValueError: fewer than two, or two of one kind, whose files would overwrite each other.
    """

    def __init__(self, *, parts: Sequence[WordEmbedding]) -> None:
        super().__init__()
        if len(parts) < 2 or len({type(part) for part in parts}) < len(parts):
            names = ", ".join(type(part).__name__ for part in parts)
            raise ValueError(f"joined are two or more word embeddings of different kinds: {names}")
        self.parts = nn.ModuleList(parts)
        self.dimension = sum(part.dimension for part in parts)
        self.knows_languages = any(part.knows_languages for part in parts)

    def prepare(self, words: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        """What each part prepares, under ``<number of the part>.<name>``."""
        return {
            f"{number}.{name}": tensor
            for number, part in enumerate(self._embeddings())
            for name, tensor in part.prepare(words, languages).items()
        }

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """What :meth:`prepare` returned → (words, sum of the parts' dimensions)."""
        vectors = [
            part(
                {
                    name.partition(".")[2]: tensor
                    for name, tensor in inputs.items()
                    if name.startswith(f"{number}.")
                }
            )
            for number, part in enumerate(self._embeddings())
        ]
        return torch.cat(vectors, dim=1)

    def save(self, folder: Path) -> None:
        """The files of each part."""
        for part in self._embeddings():
            part.save(folder)

    def _embeddings(self) -> list[WordEmbedding]:
        return [part for part in self.parts if isinstance(part, WordEmbedding)]
