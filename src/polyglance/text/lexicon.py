"""Which words a file of vectors has, and what other words it can spell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from polyglance.text.subwords import hash_ngrams


@dataclass(frozen=True, slots=True)
class NGrams:
    """How a fastText model spells words (:class:`~polyglance.text.subwords.Subwords`).

    Attributes:
        minimum: characters of the shortest n-gram.
        maximum: characters of the longest.
        buckets: how many vectors n-grams share.
    """

    minimum: int
    maximum: int
    buckets: int


class Lexicon:
    """The rows of a table of vectors: first one a word, then one a bucket of n-grams.

    Words that are looked for are in lower case. Where a file has only ``Hund``, ``hund`` finds it;
    of several spellings the first counts, which in the usual files is the most frequent.

    Args:
        words: by row.
        ngrams: where the file has them.
    """

    def __init__(self, *, words: Sequence[str], ngrams: NGrams | None = None) -> None:
        self.words = list(words)
        self.ngrams = ngrams
        self._rows: dict[str, int] = {}
        for row, word in enumerate(self.words):
            self._rows.setdefault(word, row)
        for row, word in enumerate(self.words):
            self._rows.setdefault(word.lower(), row)

    @classmethod
    def of(cls, described: dict[str, Any]) -> Lexicon:
        """What :meth:`describe` returned.

        Raises:
            KeyError, TypeError: it returned something else.
        """
        words, ngrams = described["words"], described["ngrams"]
        if not isinstance(words, list):
            raise TypeError(f"a {type(words).__name__} and no list of words")
        return cls(words=words, ngrams=None if ngrams is None else NGrams(**ngrams))

    def describe(self) -> dict[str, Any]:
        """In the types of JSON."""
        return {"words": self.words, "ngrams": None if self.ngrams is None else asdict(self.ngrams)}

    def __len__(self) -> int:
        """How many rows, those of n-grams included."""
        return len(self.words) + (0 if self.ngrams is None else self.ngrams.buckets)

    def row(self, word: str) -> int | None:
        """The word's own row."""
        return self._rows.get(word)

    def spelled(self, word: str) -> list[int]:
        """The rows of a word's n-grams, with repeats; empty where the file has none."""
        if self.ngrams is None:
            return []
        hashes = hash_ngrams(
            word.encode("utf-8", "replace"), self.ngrams.minimum, self.ngrams.maximum
        )
        return [len(self.words) + value % self.ngrams.buckets for value in hashes]
