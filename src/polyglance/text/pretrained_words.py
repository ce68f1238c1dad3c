"""Word vectors from a file, really frozen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from polyglance.errors import ModelError
from polyglance.text.vector_files import read_vectors
from polyglance.text.word_vectors import WordVectors
from polyglance.text.words import WordEmbedding

FILE_NAME = "pretrained-words.json"


class PretrainedWords(WordEmbedding):
    """Vectors that nothing moves; a word that they lack, and every mark around texts, is zero.

    Words here are in lower case. Where a file has only ``Hund``, ``hund`` finds it; of several
    spellings the first counts, which in the usual files is the most frequent.

    Args:
        words: of the vectors, by row.
        vectors: one a word.

    Raises:
        ValueError: there is not one vector a word, or they are not frozen.
    """

    def __init__(self, *, words: Sequence[str], vectors: WordVectors) -> None:
        super().__init__()
        if len(words) != len(vectors.vectors):
            raise ValueError(f"{len(vectors.vectors)} vectors for {len(words)} words")
        if isinstance(vectors.vectors, torch.nn.Parameter):
            raise ValueError("pretrained words are frozen: WordVectors(frozen=True)")
        self.dimension = vectors.dimension
        self.words = list(words)
        self.vectors = vectors
        self._rows: dict[str, int] = {}
        for row, word in enumerate(words):
            self._rows.setdefault(word, row)
        for row, word in enumerate(words):
            self._rows.setdefault(word.lower(), row)

    @classmethod
    def read(cls, path: Path) -> PretrainedWords:
        """From a file of word2vec, fastText, GloVe or MUSE in text form.

        Raises:
            ConfigError: see :func:`~polyglance.text.vector_files.read_vectors`.
        """
        words, vectors = read_vectors(path)
        return cls(words=words, vectors=WordVectors(vectors=vectors, frozen=True))

    @classmethod
    def load(cls, folder: Path) -> PretrainedWords:
        """The words of a checkpoint; their vectors are zero until its weights are filled in.

        Raises:
            ModelError: the checkpoint's list of words is missing or damaged.
        """
        path = folder / FILE_NAME
        try:
            described = json.loads(path.read_text(encoding="utf-8"))
            words, dimension = list(described["words"]), int(described["dimension"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"{path} cannot be read ({error}); copy the checkpoint's folder whole"
            ) from None
        vectors = torch.zeros(len(words), dimension)
        return cls(words=words, vectors=WordVectors(vectors=vectors, frozen=True))

    def prepare(self, words: Sequence[str]) -> dict[str, Tensor]:
        """``ids`` int64 (words,); −1 where there is no vector."""
        rows = [self._rows.get(word, -1) for word in words]
        return {"ids": torch.tensor(rows, dtype=torch.int64)}

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """(words,) ids → (words, dimension)."""
        ids = inputs["ids"]
        vectors: Tensor = self.vectors(ids.clamp(min=0))
        return vectors.masked_fill((ids < 0)[:, None], 0.0)

    def save(self, folder: Path) -> None:
        """As ``pretrained-words.json``: the words; the vectors are among the weights."""
        described = {"dimension": self.dimension, "words": self.words}
        text = json.dumps(described, ensure_ascii=False)
        (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")
