"""fastText's own model files (``.bin``): words, and the n-grams that make up all others.

The layout is that of fastText 0.1 and later (format versions 11 and 12; Facebook's open source
release of Bojanowski et al. 2017 and Joulin et al. 2017), little-endian without gaps: a magic
number and the version; the settings of the training; the dictionary; the input matrix, one row a
word and after them one a bucket of n-grams; the output matrix, which nothing here needs.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from polyglance.errors import ConfigError
from polyglance.text.subwords import END_OF_SENTENCE, Subwords, average, hash_ngrams
from polyglance.text.vector_files.mapped import MappedFile

MAGIC = 793712314
VERSIONS = (11, 12)

_OPENING = struct.Struct("<2i")  # magic number, version
_SETTINGS = struct.Struct("<12id")
_DICTIONARY = struct.Struct("<3i2q")  # entries, words, labels; tokens seen, pruned buckets
_ENTRY = struct.Struct("<qb")  # behind an entry's name: times seen, word or label
_FLAG = struct.Struct("<?")
_SHAPE = struct.Struct("<2q")
_SUPERVISED = 3
_WORDS_AT_ONCE = 10_000


class FastTextModel(NamedTuple):
    """What a model file says of words.

    Attributes:
        words: the most frequent first.
        vectors: (words, dimension) float32; of a word the mean of its own vector and its n-grams'.
        subwords: for all other words; None where the model was trained without n-grams.
    """

    words: list[str]
    vectors: Tensor
    subwords: Subwords | None


class _Settings(NamedTuple):
    dimension: int
    minimum: int
    maximum: int
    buckets: int

    @property
    def has_ngrams(self) -> bool:
        return self.buckets > 0 and self.maximum > 0


def read_fasttext(path: Path, *, limit: int | None = None) -> FastTextModel:
    """Read a model of the skip-gram, the CBOW or the supervised kind.

    All n-grams' vectors are read into memory, of the words as many as asked for.

    Args:
        path: the ``.bin`` file.
        limit: read so many words only, the most frequent.

    Raises:
        ConfigError: the file is absent, damaged, of another version, or quantised (``.ftz``).
    """
    file = MappedFile(path)
    settings = _read_settings(file)
    names = _read_names(file)
    (quantised,) = file.numbers(_FLAG)
    if quantised:
        raise ConfigError(
            f"word vectors {path}: a quantised fastText model (.ftz) has no exact vectors; give "
            "the full model (.bin) or its .vec file"
        )
    rows, dimension = file.numbers(_SHAPE)
    if (rows, dimension) != (len(names) + settings.buckets, settings.dimension):
        raise ConfigError(
            f"word vectors {path}: {rows} rows of {dimension} numbers for {len(names)} words and "
            f"{settings.buckets} buckets; fetch the file again"
        )
    matrix = file.floats(rows * dimension).reshape(rows, dimension)
    subwords = None
    if settings.has_ngrams:
        buckets = torch.from_numpy(matrix[len(names) :].astype(np.float32))  # a copy
        subwords = Subwords(
            minimum=max(settings.minimum, 1), maximum=settings.maximum, buckets=buckets
        )
    kept = names[:limit]
    vectors = torch.from_numpy(matrix[: len(kept)].astype(np.float32))
    if subwords is not None:
        _add_ngrams(vectors, kept, subwords)
    return FastTextModel([name.decode("utf-8", "replace") for name in kept], vectors, subwords)


def _read_settings(file: MappedFile) -> _Settings:
    magic, version = file.numbers(_OPENING)
    if magic != MAGIC or version not in VERSIONS:
        raise ConfigError(
            f"word vectors {file.path}: no fastText model of version "
            f"{' or '.join(map(str, VERSIONS))}; give the .vec file"
        )
    dimension, *_, model, buckets, minimum, maximum, _, _ = file.numbers(_SETTINGS)
    if version == 11 and model == _SUPERVISED:
        maximum = 0  # classifiers of that version wrote a length that they did not use
    return _Settings(dimension, minimum, maximum, buckets)


def _read_names(file: MappedFile) -> list[bytes]:
    """The words of the dictionary, by row; labels stand behind them and have no rows."""
    entries, words, labels, _, pruned = file.numbers(_DICTIONARY)
    if words < 1 or entries != words + labels or pruned > 0:
        raise ConfigError(
            f"word vectors {file.path}: a pruned or damaged dictionary; give the full model"
        )
    names = []
    for _ in range(entries):
        names.append(file.until(b"\0"))
        file.numbers(_ENTRY)
    return names[:words]


def _add_ngrams(vectors: Tensor, names: list[bytes], subwords: Subwords) -> None:
    """Replace each word's own vector by the mean of it and of its n-grams'."""
    for start in range(0, len(names), _WORDS_AT_ONCE):
        rows = [
            []
            if name == END_OF_SENTENCE.encode()
            else [
                value % len(subwords.buckets)
                for value in hash_ngrams(name, subwords.minimum, subwords.maximum)
            ]
            for name in names[start : start + _WORDS_AT_ONCE]
        ]
        count = torch.tensor([[float(len(some))] for some in rows])  # (words, 1)
        some = vectors[start : start + _WORDS_AT_ONCE]
        some.add_(average(subwords.buckets, rows) * count).div_(count + 1)
