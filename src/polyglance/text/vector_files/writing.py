"""Writing word vectors for every program that reads word2vec's files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from torch import Tensor

from polyglance.data.files import replaced_when_complete
from polyglance.errors import ConfigError


def write_text(path: Path, words: Sequence[str], vectors: Tensor) -> None:
    """A line ``words dimension``, then a word a line with its numbers.

    Numbers have nine digits, which is what brings each float32 back as it was.

    Args:
        path: appears when it is complete; an older file is replaced then.
        words: the most frequent first, as readers expect; without white space.
        vectors: (words, dimension).

    Raises:
        ConfigError: a word is empty or holds white space, or the file cannot be written.
        ValueError: there is not one vector a word.
    """
    with _opened(path, words, vectors) as file:
        for word, row in zip(words, vectors.tolist(), strict=True):
            numbers = " ".join(f"{number:.9g}" for number in row)
            file.write(f"{word} {numbers}\n".encode())


def write_binary(path: Path, words: Sequence[str], vectors: Tensor) -> None:
    """word2vec's binary form, half the size and read far faster; see :func:`write_text`."""
    with _opened(path, words, vectors) as file:
        for word, row in zip(words, vectors.numpy().astype("<f4"), strict=True):
            file.write(word.encode() + b" " + row.tobytes() + b"\n")


@contextmanager
def _opened(path: Path, words: Sequence[str], vectors: Tensor) -> Iterator[BinaryIO]:
    if len(words) != len(vectors):
        raise ValueError(f"{len(vectors)} vectors for {len(words)} words")
    for word in words:
        if word.split() != [word]:
            raise ConfigError(f"word vectors {path}: {word!r} would not be read back as one word")
    try:
        with replaced_when_complete(path) as temporary, temporary.open("wb") as file:
            file.write(f"{len(words)} {vectors.shape[1]}\n".encode())
            yield file
    except OSError as error:
        raise ConfigError(
            f"word vectors {path}: cannot be written: {error.strerror}; choose another folder"
        ) from None
