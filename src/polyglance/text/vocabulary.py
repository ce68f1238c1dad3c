"""The words that a model knows, in the JSON layout of VSE++ and SCAN."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from polyglance.errors import ModelError
from polyglance.text.segment import END, PAD, START

FILE_NAME = "vocabulary.json"
UNKNOWN = "<unk>"
SPECIAL = (PAD, START, END, UNKNOWN)  # ids 0 to 3, in the order of the official files


class Vocabulary:
    """Words and their ids.

    The file is an object with ``word2idx``, ``idx2word`` and ``idx``, the number of words (Lee et
    al. 2018 publish theirs so).

    Args:
        words: all of them, each once; a word's place is its id. ``<unk>`` is among them.

    Raises:
        ValueError: a word stands twice, or ``<unk>`` is missing.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._ids = {word: number for number, word in enumerate(words)}
        if len(self._ids) < len(words):
            raise ValueError("a word of the vocabulary stands twice")
        if UNKNOWN not in self._ids:
            raise ValueError(f"the vocabulary lacks {UNKNOWN}, the word for all others")

    @classmethod
    def of(cls, words: Iterable[str], *, min_frequency: int = 4) -> Vocabulary:
        """The words of the training captions that occur ``min_frequency`` times, by the alphabet.

        Unlike the official vocabularies (VSE++ issue 29), it must not be shown any test caption.
        """
        counts = Counter(words)
        kept = sorted(word for word, count in counts.items() if count >= min_frequency)
        return cls([*SPECIAL, *(word for word in kept if word not in SPECIAL)])

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def words(self) -> list[str]:
        """All words, by id."""
        return list(self._ids)

    def ids(self, words: Sequence[str]) -> Tensor:
        """(words,) int64; unknown words have the id of ``<unk>``."""
        unknown = self._ids[UNKNOWN]
        return torch.tensor([self._ids.get(word, unknown) for word in words], dtype=torch.int64)

    def save(self, path: Path) -> None:
        """Write the official layout."""
        described = {
            "word2idx": self._ids,
            "idx2word": {number: word for word, number in self._ids.items()},
            "idx": len(self._ids),
        }
        path.write_text(json.dumps(described, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what :meth:`save` or the official code wrote.

        Raises:
            ModelError: the file is absent, or no vocabulary.
        """
        return cls(read_word2idx(path, needed=(UNKNOWN,)))


def read_word2idx(path: Path, *, needed: Sequence[str]) -> list[str]:
    """The keys of a file's ``word2idx``, by id.

    Raises:
        ModelError: the file is absent or damaged, its ids are not 0, 1, 2 …, or it lacks a word
            that is ``needed``.
    """
    try:
        ids = json.loads(path.read_text(encoding="utf-8"))["word2idx"]
        words = sorted(ids, key=ids.__getitem__)
        gaps = [ids[word] for word in words] != list(range(len(words)))
    except FileNotFoundError:
        raise ModelError(
            f"{path} is missing; name a file that is there, or copy the checkpoint's folder whole"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path} is no vocabulary ({type(error).__name__}: {error}); it should be an object "
            "with word2idx, as VSE++, SCAN and LAVSE write it"
        ) from None
    if gaps:
        raise ModelError(f"{path}: the ids in word2idx are not 0, 1, 2 …; restore the file")
    if missing := [word for word in needed if word not in ids]:
        raise ModelError(f"{path}: word2idx lacks {', '.join(missing)}; restore the file")
    return words
