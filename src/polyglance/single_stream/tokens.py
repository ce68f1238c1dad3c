"""Texts, and pairs of sentences, as the numbers that a single-stream transformer embeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from polyglance.data.language import primary_language
from polyglance.text.tokenizer import FILE_NAME, Pieces, Tokenizer

EVEN = 4
"""Padded lengths are multiples of it. A processor's kernels are made for each shape that turns up,
at the cost of milliseconds and of memory; this way few do."""
AROUND = -1  # the word of the tokens around a text, which are no part of any
UNKNOWN_LANGUAGE = 0


@dataclass(frozen=True, slots=True)
class Tokens:
    """Texts, or pairs of sentences, padded to the longest.

    Attributes:
        ids: (n, length) int64, the tokenizer's.
        positions: (n, length) int64, from 0; in a second sentence from 0 again.
        segments: (n, length) int64, 0 for the first sentence and 1 for the second.
        languages: (n, length) int64, 0 where the language is none that the model was given.
        words: (n, length) int64, the number of the word that a token is a part of, counted over
            both sentences; −1 at tokens around a text and at padding.
        mask: (n, length) bool, true where a token is.
    """

    ids: Tensor
    positions: Tensor
    segments: Tensor
    languages: Tensor
    words: Tensor
    mask: Tensor

    def __len__(self) -> int:
        """How many texts or pairs these are."""
        return len(self.ids)

    def rows(self, rows: slice | Tensor) -> Tokens:
        """Some of them, at the length of all."""
        return Tokens(**{name: tensor[rows] for name, tensor in self.tensors().items()})

    def with_ids(self, ids: Tensor) -> Tokens:
        """The same places with other tokens there (n, length)."""
        return replace(self, ids=ids)

    def to(self, device: torch.device) -> Tokens:
        """The same on another device."""
        return Tokens(**{name: tensor.to(device) for name, tensor in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """By name, as :meth:`Tokens` takes them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class PairTokenizer:
    """Texts, and pairs of a sentence and its translation, to :class:`Tokens`.

    A pair is laid out as in translation language modelling (Conneau and Lample, "Cross-lingual
    language model pretraining", NeurIPS 2019, section 3.3): both sentences in one sequence, each
    token with the language of its sentence, and positions that begin anew, so that a word and its
    translation stand at like places. Thread-safe.

    Args:
        tokenizer: which puts one token before and one behind a text.
        languages: BCP-47 tags of those that get an embedding, from 1 on in the order of their
            primary subtags; all others share number 0.
        max_length: tokens of a text, or of a pair, with those around; of a pair the longer sentence
            is cut first.

    Raises:
        ModelError: the tokenizer puts other tokens around a text.
        ValueError: there is no room for a word of each sentence.
    """

    def __init__(
        self, *, tokenizer: Tokenizer, languages: Sequence[str] = (), max_length: int = 64
    ) -> None:
        if max_length < 5:  # [CLS] x [SEP] y [SEP]
            raise ValueError(f"max_length {max_length} leaves no room for two sentences")
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.languages = tuple(sorted({primary_language(tag) for tag in languages} - {"und"}))
        self._numbers = {tag: number for number, tag in enumerate(self.languages, start=1)}
        self._start, self._end = tokenizer.around

    def language(self, tag: str) -> int:
        """The number of a BCP-47 tag's primary subtag; 0 where it has none."""
        return self._numbers.get(primary_language(tag), UNKNOWN_LANGUAGE)

    def single(self, texts: Sequence[str], languages: Sequence[str]) -> Tokens:
        """``[CLS] text [SEP]``, with one tag a text."""
        pieces = self.tokenizer.encode_words(texts)
        return self._padded(
            [
                self._first(_cut(some, self.max_length - 2), self.language(tag))
                for some, tag in zip(pieces, languages, strict=True)
            ]
        )

    def pair(
        self,
        firsts: Sequence[str],
        seconds: Sequence[str],
        first_languages: Sequence[str],
        second_languages: Sequence[str],
    ) -> Tokens:
        """``[CLS] first [SEP] second [SEP]``, row by row, with one tag a sentence."""
        pairs = zip(
            self.tokenizer.encode_words(firsts),
            self.tokenizer.encode_words(seconds),
            map(self.language, first_languages),
            map(self.language, second_languages),
            strict=True,
        )
        return self._padded([self._both(*pair) for pair in pairs])

    def save(self, folder: Path) -> None:
        """The tokenizer, as ``tokenizer.json`` in a checkpoint's folder."""
        self.tokenizer.save(folder / FILE_NAME)

    def _both(
        self, first: Pieces, second: Pieces, first_language: int, second_language: int
    ) -> _Row:
        first_length, second_length = _lengths(len(first.ids), len(second.ids), self.max_length - 3)
        first, second = _cut(first, first_length), _cut(second, second_length)
        before = first.words[-1] + 1 if first.words else 0
        one, length = self._first(first, first_language), second_length + 1
        return _Row(
            ids=[*one.ids, *second.ids, self._end],
            positions=[*one.positions, *range(length)],
            segments=[*one.segments, *[1] * length],
            languages=[*one.languages, *[second_language] * length],
            words=[*one.words, *(before + word for word in second.words), AROUND],
        )

    def _first(self, pieces: Pieces, language: int) -> _Row:
        length = len(pieces.ids) + 2
        return _Row(
            ids=[self._start, *pieces.ids, self._end],
            positions=list(range(length)),
            segments=[0] * length,
            languages=[language] * length,
            words=[AROUND, *pieces.words, AROUND],
        )

    def _padded(self, rows: list[_Row]) -> Tokens:
        lengths = [len(row.ids) for row in rows]
        longest = even(max(lengths, default=0))

        def padded(name: str, value: int) -> Tensor:
            some = [getattr(row, name) for row in rows]
            filled = [numbers + [value] * (longest - len(numbers)) for numbers in some]
            return torch.tensor(filled, dtype=torch.int64).view(len(rows), longest)

        return Tokens(
            ids=padded("ids", self.tokenizer.pad_id),
            positions=padded("positions", 0),
            segments=padded("segments", 0),
            languages=padded("languages", UNKNOWN_LANGUAGE),
            words=padded("words", AROUND),
            mask=torch.arange(longest) < torch.tensor(lengths, dtype=torch.int64)[:, None],
        )


def even(length: int) -> int:
    """The next multiple of :data:`EVEN`."""
    return -(-length // EVEN) * EVEN


class _Row(NamedTuple):
    """One text or sentence; see :class:`Tokens`."""

    ids: list[int]
    positions: list[int]
    segments: list[int]
    languages: list[int]
    words: list[int]


def _cut(pieces: Pieces, length: int) -> Pieces:
    return Pieces(pieces.ids[:length], pieces.words[:length])


def _lengths(first: int, second: int, together: int) -> tuple[int, int]:
    """Lengths of two sentences when the longer one is cut, token by token, to fit."""
    half = together // 2
    if first + second <= together:
        return first, second
    if first <= half:
        return first, together - first
    if second <= half:
        return together - second, second
    return together - half, half
