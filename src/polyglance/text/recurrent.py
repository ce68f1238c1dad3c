"""Words and a recurrent unit: the text encoder of VSE++, SCAN, CLMR, LIWE and Portaz et al."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from sys import intern
from typing import Literal

import torch
from torch import Tensor, nn

from polyglance.data.language import primary_language
from polyglance.features import Features
from polyglance.heads import ProjectionHead
from polyglance.text.base import TextEncoder
from polyglance.text.distinct import distinct_words
from polyglance.text.pooling import masked_mean
from polyglance.text.recurrent_unit import RecurrentUnit
from polyglance.text.segment import END, MARKS, PAD, START, Segmenter
from polyglance.text.words import UNDETERMINED, WordEmbedding
from polyglance.unit import unit_rows

KEPT_TEXTS = 2**18  # whose words are remembered: about 100 MB of captions

Pooling = Literal["last", "mean", "unpacked"]


class RecurrentTextEncoder(TextEncoder):
    """Segmenter → words' vectors → packed recurrent unit → one vector → the joint space.

    With learned words, a GRU of one direction and no head it is the text side of VSE++ (Faghri et
    al. 2018); with two directions, whose states are averaged, and its words kept, that of SCAN (Lee
    et al. 2018); with two and ``last`` pooling that of CLMR and, with words made of characters, of
    LIWE (Wehrmann et al. 2019, sections 2.1 and 2.2); with pretrained words of several languages
    and four layers of an SRU that of Portaz et al. (2019, section 3.2).

    Each distinct word of a batch is embedded once, or once a language where the words know theirs.
    Texts are packed, so that neither direction reads padding and an embedding does not depend on
    the texts beside it. The exception is
    ``unpacked`` pooling, how the official LIWE code behaves, for comparing with it: the backward
    direction reads the padding of the batch first, and both directions' average at a text's last
    word is taken, so that it does depend on the longest text beside it.

    Args:
        segmenter: texts → words.
        words: words → vectors.
        unit: vectors → states; two directions are averaged.
        pooling: ``last``, the state that a direction ends in (the first word's, for the one that
            reads backwards); ``mean`` over the words; or ``unpacked``.
        head: into the joint space; without one the pooled state itself is normalised.
        keep_tokens: also return each word in the joint space, for matching by words.
        dropout: probability, on the words' vectors; a word loses the same numbers wherever it
            stands in the batch.
        max_length: words, with the marks around a text; the rest of a text is not read.

    Raises:
        ValueError: ``max_length`` leaves no room for a word.
    """

    has_words = True

    def __init__(
        self,
        *,
        segmenter: Segmenter,
        words: WordEmbedding,
        unit: RecurrentUnit,
        pooling: Pooling = "last",
        head: ProjectionHead | None = None,
        keep_tokens: bool = False,
        dropout: float = 0.0,
        max_length: int = 64,
    ) -> None:
        super().__init__()
        if max_length < 3:
            raise ValueError(f"max_length {max_length} leaves no room beside {START} and {END}")
        self.dimension = unit.hidden_size if head is None else head.dimension
        self.segmenter = segmenter
        self.max_length = max_length
        self.pooling = pooling
        self.keep_tokens = keep_tokens
        self.words = words
        self.dropout = nn.Dropout(dropout)
        self.unit = unit
        self.head = head
        self._words = lru_cache(maxsize=KEPT_TEXTS)(partial(_words, segmenter, max_length))

    def prepare(self, texts: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        """``index`` (texts, words) and ``lengths`` (texts,), both int64, rows of a table of words.

        With them go the tensors that the words' embedding makes of that table, first axis
        (distinct words,). Padding is a word of it only where it is going to be read.
        """
        segmented = map(self._words, texts, languages)
        tags = languages if self.words.knows_languages else [UNDETERMINED] * len(texts)
        told = [_told(words, tag) for words, tag in zip(segmented, tags, strict=True)]
        first = [PAD] if self.pooling == "unpacked" else [START, END]
        distinct, index, lengths = distinct_words(told, first=_told(first, UNDETERMINED))
        words, of_words = zip(*distinct, strict=True)
        return {"index": index, "lengths": lengths, **self.words.prepare(words, of_words)}

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """Encode what :meth:`prepare` returned; tensors are moved to where the weights are.

        Shapes: texts n, words w, hidden size h, directions d (1 or 2).
        """
        device = next(self.unit.parameters()).device
        moved = {name: tensor.to(device) for name, tensor in inputs.items()}
        index, lengths = moved.pop("index"), moved.pop("lengths")  # (n, w), (n,)
        table = self.dropout(self.words(moved))  # (distinct words, word dimension)
        if self.pooling == "last" and not self.keep_tokens:
            last = self.unit.last(table, index, lengths)  # (d, n, h)
            return Features(self._project(last.mean(dim=0)))
        mask = torch.arange(index.shape[1], device=device) < lengths[:, None]  # (n, w)
        read = torch.full_like(lengths, index.shape[1]) if self.pooling == "unpacked" else lengths
        states, last = self.unit(table, index, read)  # (n, w, h), (d, n, h)
        match self.pooling:
            case "last":
                pooled = last.mean(dim=0)  # (n, h)
            case "mean":
                pooled = masked_mean(states, mask)
            case "unpacked":
                pooled = states[torch.arange(len(lengths), device=device), lengths - 1]
        if not self.keep_tokens:
            return Features(self._project(pooled))
        return Features(self._project(pooled), self._project(states), mask)

    def save_tokenizer(self, folder: Path) -> None:
        """What the words' embedding needs, such as ``vocabulary.json`` or ``alphabet.json``."""
        self.words.save(folder)

    def parts(self) -> dict[str, nn.Module]:
        """``encoder``: words and recurrent unit; ``head`` where there is one."""
        encoder = nn.ModuleList([self.words, self.unit])
        return {"encoder": encoder} | ({} if self.head is None else {"head": self.head})

    def _project(self, states: Tensor) -> Tensor:
        """(..., hidden size) → (..., dimension) with unit rows."""
        if self.head is None:
            return unit_rows(states)
        projected: Tensor = self.head(states)
        return projected


def _words(segmenter: Segmenter, limit: int, text: str, language: str) -> tuple[str, ...]:
    """The words of a text between their marks, ``limit`` of them at most."""
    words = segmenter.words(text, language)[: limit - 2]
    return (START, *map(intern, words), END)  # one string a word, however many texts have it


def _told(words: Sequence[str], language: str) -> list[tuple[str, str]]:
    """Each word with its language; the marks around a text are of none."""
    primary = primary_language(language)
    return [(word, UNDETERMINED if word in MARKS else primary) for word in words]
