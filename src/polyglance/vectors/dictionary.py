"""Bilingual dictionaries: which word means which."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from polyglance.errors import ConfigError
from polyglance.vectors.dictd import SUFFIXES, read_dictd
from polyglance.vectors.space import WordSpace


@dataclass(frozen=True, slots=True)
class Translations:
    """The entries of a dictionary that two spaces have vectors for.

    Attributes:
        pairs: (pairs, 2) int64, rows of the source words and of their translations, each pair
            once, the most frequent source words first.
        asked: how many source words the dictionary has.
    """

    pairs: Tensor
    asked: int

    @property
    def words(self) -> int:
        """Source words with a translation; one may have several."""
        return len(torch.unique(self.pairs[:, 0]))

    @property
    def coverage(self) -> float:
        """The share of the dictionary's source words that are here."""
        return self.words / self.asked if self.asked else 0.0

    def most_frequent(self) -> Translations:
        """Of each source word's translations the most frequent one alone."""
        first: dict[int, int] = {}
        for word, meaning in sorted(map(tuple, self.pairs.tolist())):
            first.setdefault(word, meaning)
        pairs = torch.tensor(list(first.items()), dtype=torch.int64).reshape(-1, 2)
        return Translations(pairs, self.asked)

    def split(
        self, held_out: float, *, words: Sequence[str], seed: int = 0
    ) -> tuple[Translations, Translations]:
        """Some source words with all their translations for learning, the others for measuring.

        Each word is drawn by itself, by a hash of what is written: whatever else a space and a
        dictionary have, a word is measured on in all of them or in none.

        Args:
            held_out: about the share of source words that are measured on, within 0 and 1.
            words: of the source space, row by row.
            seed: of the drawing.
        """
        rows = torch.unique(self.pairs[:, 0]).tolist()
        drawn = [row for row in rows if _drawn(words[row], seed) < held_out]
        measured = torch.isin(self.pairs[:, 0], torch.tensor(drawn, dtype=torch.int64))  # (pairs,)
        return tuple(  # type: ignore[return-value]
            Translations(self.pairs[some], len(torch.unique(self.pairs[some][:, 0])))
            for some in (~measured, measured)
        )


def read_dictionary(path: Path, *, reverse: bool = False) -> list[tuple[str, str]]:
    """Read MUSE's dictionaries, tables with tabs, or those of a DICT server.

    Args:
        path: ``word translation`` a line, with a space or a tab between, further columns without
            meaning; or a ``.index``, ``.dict`` or ``.dict.dz`` file (see
            :mod:`~polyglance.vectors.dictd`).
        reverse: the translation is the source language.

    Raises:
        ConfigError: the file is absent, empty, or a line is no pair; the message names it.
    """
    dictd = path.name.endswith(SUFFIXES)
    entries = list(read_dictd(path) if dictd else _read_pairs(path))
    if not entries:
        raise ConfigError(f"dictionary {path}: no entries in it; give another one")
    return [(meaning, word) for word, meaning in entries] if reverse else entries


def match(entries: Iterable[tuple[str, str]], source: WordSpace, target: WordSpace) -> Translations:
    """Look a dictionary's words up in two spaces.

    A word is looked up as it is written, then in lower case: dictionaries have German nouns with
    capitals, and the texts that vectors are trained on have none.
    """
    rows, meanings = source.rows(), target.rows()
    asked: set[str] = set()
    found: set[tuple[int, int]] = set()
    for word, meaning in entries:
        if len(meaning.split()) != 1:
            continue
        asked.add(word.lower())
        row, other = _row(rows, word), _row(meanings, meaning)
        if row is not None and other is not None:
            found.add((row, other))
    pairs = torch.tensor(sorted(found), dtype=torch.int64).reshape(-1, 2)
    return Translations(pairs, len(asked))


def identical_words(source: WordSpace, target: WordSpace) -> Translations:
    """The words that both languages write alike: a dictionary that costs nothing.

    Names, numbers and loans; Smith et al. (2017, section 2.4) align two spaces by them alone.
    """
    meanings = target.rows()
    pairs = [(row, meanings[word]) for word, row in source.rows().items() if word in meanings]
    return Translations(torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2), len(source))


def _drawn(word: str, seed: int) -> float:
    """A number from 0 to below 1 that is the same for a word everywhere."""
    digest = hashlib.blake2b(f"{seed} {word}".encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 256.0 ** len(digest)


def _row(rows: dict[str, int], word: str) -> int | None:
    return rows.get(word, rows.get(word.lower()))


def _read_pairs(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                fields = line.rstrip("\n").split("\t") if "\t" in line else line.split()
                fields = [field.strip() for field in fields]
                if len(fields) < 2 or not (fields[0] and fields[1]):
                    raise ConfigError(
                        f"dictionary {path}:{number}: a word and its translation were expected, "
                        "with a space or a tab between"
                    )
                yield fields[0], fields[1]
    except OSError as error:
        raise ConfigError(f"dictionary {path}: {error.strerror}; name the file") from None
