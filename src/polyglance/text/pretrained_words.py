"""Word vectors from files, one for all languages or one a language, really frozen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from polyglance.errors import ConfigError, ModelError
from polyglance.text.lexicon import Lexicon, NGrams
from polyglance.text.segment import MARKS
from polyglance.text.vector_files import read_subwords, read_vectors
from polyglance.text.words import UNDETERMINED, WordEmbedding

FILE_NAME = "pretrained-words.json"
KEPT_WORDS = 2**18  # whose rows are remembered


class PretrainedWords(WordEmbedding):
    """Vectors that nothing moves, of one file or of aligned files, one a language.

    - A word of a language that has a file gets its vector there; of a language without one, the
      mean of the word's vectors in all files that have it.
    - A word that is in no file so chosen gets the mean of its n-grams' vectors, where they have
      n-grams (Bojanowski et al. 2017, section 3.2).
    - Else it is zero, as every mark around texts is.

    Args:
        lexicons: language → the words of its file, ``und`` → of a file of no particular language.
        vectors: (rows, dimension), those of all lexicons one below the other. A buffer and no
            parameter, so that neither an optimiser, nor weight decay, nor a later
            ``requires_grad_(True)`` on the whole model moves them; it is saved all the same.

    Raises:
        ValueError: there is not one vector a row.
    """

    vectors: Tensor

    def __init__(self, *, lexicons: Mapping[str, Lexicon], vectors: Tensor) -> None:
        super().__init__()
        sizes = [len(lexicon) for lexicon in lexicons.values()]
        if sum(sizes) != len(vectors):
            raise ValueError(f"{len(vectors)} vectors for {sum(sizes)} rows")
        self.dimension = vectors.shape[1]
        self.knows_languages = set(lexicons) != {UNDETERMINED}
        self.lexicons = lexicons
        self.register_buffer("vectors", vectors.detach())
        starts = accumulate(sizes[:-1], initial=0)
        placed = dict(zip(lexicons, zip(starts, lexicons.values(), strict=True), strict=True))
        self._rows = lru_cache(maxsize=KEPT_WORDS)(partial(_rows, placed))

    @classmethod
    def read(cls, files: Mapping[str, Path], *, limit: int | None = None) -> PretrainedWords:
        """From files of any format of :mod:`polyglance.text.vector_files`.

        Args:
            files: language → file, of aligned spaces; ``und`` → one for all languages.
            limit: read so many words of each only; the usual files begin with the most frequent.

        Raises:
            ConfigError: a file cannot be read, or has vectors of another dimension than the first.
        """
        lexicons: dict[str, Lexicon] = {}
        tables: list[Tensor] = []
        for language, path in files.items():
            words, vectors = read_vectors(path, limit=limit)
            subwords, ngrams = read_subwords(path), None
            tables.append(vectors)
            if subwords is not None:
                ngrams = NGrams(subwords.minimum, subwords.maximum, len(subwords.buckets))
                tables.append(subwords.buckets)
            if vectors.shape[1] != tables[0].shape[1]:
                raise ConfigError(
                    f"word vectors {path}: {vectors.shape[1]} numbers a word, but "
                    f"{tables[0].shape[1]} in the first file; give the files of one aligned space"
                )
            lexicons[language] = Lexicon(words=words, ngrams=ngrams)
        return cls(lexicons=lexicons, vectors=torch.cat(tables))

    @classmethod
    def load(cls, folder: Path) -> PretrainedWords:
        """The words of a checkpoint; their vectors are zero until its weights are filled in.

        Raises:
            ModelError: the checkpoint's list of words is missing or damaged.
        """
        path = folder / FILE_NAME
        try:
            described = json.loads(path.read_text(encoding="utf-8"))
            dimension = int(described["dimension"])
            lexicons = {tag: Lexicon.of(own) for tag, own in described["languages"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{path} cannot be read ({error}); copy the checkpoint's folder whole"
            ) from None
        rows = sum(map(len, lexicons.values()))
        return cls(lexicons=lexicons, vectors=torch.zeros(rows, dimension))

    def prepare(self, words: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        """``ids`` int64 (words, most rows of any): whose mean each word is; −1 behind the last."""
        rows = list(map(self._rows, words, languages))
        most = max(map(len, rows), default=0)
        padded = [some + (most - len(some)) * [-1] for some in rows]
        return {"ids": torch.tensor(padded, dtype=torch.int64).reshape(len(words), most)}

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """(words, most rows) ids → (words, dimension)."""
        ids = inputs["ids"]
        there = ids >= 0
        counts = there.sum(dim=1)  # (words,)
        return functional.embedding_bag(
            ids[there], self.vectors, counts.cumsum(0) - counts, mode="mean"
        )

    def save(self, folder: Path) -> None:
        """As ``pretrained-words.json``: the words; the vectors are among the weights."""
        languages = {tag: lexicon.describe() for tag, lexicon in self.lexicons.items()}
        described = {"dimension": self.dimension, "languages": languages}
        text = json.dumps(described, ensure_ascii=False)
        (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")


def _rows(placed: Mapping[str, tuple[int, Lexicon]], word: str, language: str) -> list[int]:
    """Whose mean a word is; ``placed`` has the first row of each lexicon."""
    if word in MARKS:
        return []
    chosen = [placed[language]] if language in placed else list(placed.values())
    rows = [(start, lexicon.row(word)) for start, lexicon in chosen]
    own = [start + row for start, row in rows if row is not None]
    return own or [start + row for start, lexicon in chosen for row in lexicon.spelled(word)]
