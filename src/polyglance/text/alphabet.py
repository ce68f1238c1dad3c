"""The characters that a model knows, in the JSON layout of LAVSE."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from polyglance.text.segment import END, PAD, START
from polyglance.text.vocabulary import UNKNOWN, read_word2idx

FILE_NAME = "alphabet.json"
SPACE = " "
SPECIAL = (PAD, UNKNOWN, START, END, SPACE)  # ids 0 to 4, in the order of the official files


class Alphabet:
    """Characters and their ids.

    The file is an object with ``word2idx``, ``char_level`` and ``max_len``, as in the code of
    Wehrmann et al. (2019). Their own alphabet of 101 characters holds neither Czech nor Arabic nor
    Chinese; ours is whatever the training captions are written in. Nothing here reads the id of
    the space, which their code needs in order to find the words.

    Args:
        characters: all of them, each once; a character's place is its id.

    Raises:
        ValueError: a character stands twice, or a special one is missing.
    """

    def __init__(self, characters: Sequence[str]) -> None:
        self._ids = {character: number for number, character in enumerate(characters)}
        if len(self._ids) < len(characters):
            raise ValueError("a character of the alphabet stands twice")
        if missing := [mark for mark in (PAD, UNKNOWN, START, END) if mark not in self._ids]:
            raise ValueError(f"the alphabet lacks {', '.join(missing)}")
        self._whole = {mark: self._ids[mark] for mark in (PAD, START, END)}

    @classmethod
    def of(cls, words: Iterable[str], *, min_frequency: int = 2) -> Alphabet:
        """The characters that occur ``min_frequency`` times in the training captions' words."""
        counts = Counter[str]()
        for word, times in Counter(words).items():
            for character in word:
                counts[character] += times
        kept = sorted(each for each, count in counts.items() if count >= min_frequency)
        return cls([*SPECIAL, *(each for each in kept if each not in SPECIAL)])

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def characters(self) -> list[str]:
        """All characters, by id."""
        return list(self._ids)

    def encode(self, word: str, *, length: int) -> bytes:
        """The ids of one word's characters, cut or padded to ``length``, as int32 in memory.

        A mark that stands around texts is one character.
        """
        if word in self._whole:
            numbers = [self._whole[word]]
        else:
            unknown = self._ids[UNKNOWN]
            numbers = [self._ids.get(character, unknown) for character in word[:length]]
        return array("i", numbers + [self._ids[PAD]] * (length - len(numbers))).tobytes()

    def save(self, path: Path) -> None:
        """Write the official layout."""
        described = {"word2idx": self._ids, "char_level": True, "max_len": None}
        path.write_text(json.dumps(described, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Alphabet:
        """Read what :meth:`save` or the official code wrote.

        Raises:
            ModelError: the file is absent, or no alphabet.
        """
        return cls(read_word2idx(path, needed=(PAD, UNKNOWN, START, END)))
