"""LIWE: a word's vector made of its characters, so that new languages add next to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from polyglance.text.alphabet import FILE_NAME, Alphabet
from polyglance.text.words import WordEmbedding

KEPT_WORDS = 2**18  # at 26 characters, 35 MB


class CharacterWords(WordEmbedding):
    """Characters' vectors side by side, through one to three word-wise layers.

    Wehrmann et al., "Language-agnostic visual-semantic embeddings" (ICCV 2019), section 2.2: each
    word is cut or padded to C_w characters of d_c numbers, and C_w · d_c numbers pass the layers.
    In parameters, N_a d_c + C_w d_c f_1 + f_1 f_2 + … and what normalises the layers. As in the
    official code, a layer is a weight-normed linear map, dropout, BatchNorm and LeakyReLU(.1), the
    last one too, and the character that pads has a learned vector.

    Deviations from the official code: BatchNorm sees each distinct word of a batch once, and
    padding only where it is read (``unpacked`` pooling), where the official statistics are over all
    places of the padded texts; the marks around a text are words of their own and not glued to the
    first and the last.

    Args:
        alphabet: of the training captions.
        character_dimension: d_c.
        word_length: C_w.
        widths: f_1, f_2, …; the last is the word's dimension. Official: (384, 448, 300); the
            paper's others are (128, 256) and (256, 256).
        dropout: probability, in every layer.

    Raises:
        ValueError: there is no layer.
    """

    def __init__(
        self,
        *,
        alphabet: Alphabet,
        character_dimension: int = 24,
        word_length: int = 26,
        widths: Sequence[int] = (384, 448, 300),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not widths:
            raise ValueError("character words need at least one layer")
        self.dimension = widths[-1]
        self.alphabet = alphabet
        self.word_length = word_length
        self.characters = nn.Embedding(len(alphabet), character_dimension)
        inputs = [word_length * character_dimension, *widths[:-1]]
        self.layers = nn.Sequential(
            *(
                nn.Sequential(
                    weight_norm(nn.Linear(before, width)),
                    nn.Dropout(dropout),
                    nn.BatchNorm1d(width),
                    nn.LeakyReLU(0.1),
                )
                for before, width in zip(inputs, widths, strict=True)
            )
        )
        self._encode = lru_cache(maxsize=KEPT_WORDS)(
            lambda word: alphabet.encode(word, length=word_length)
        )

    def prepare(
        self,
        words: Sequence[str],
        languages: Sequence[str],  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """``characters`` int32 (words, word length)."""
        joined = bytearray().join(map(self._encode, words))
        ids = np.frombuffer(joined, dtype=np.int32).reshape(len(words), self.word_length)
        return {"characters": torch.from_numpy(ids)}

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """(words, word length) ids → (words, dimension)."""
        characters = self.characters(inputs["characters"])  # (words, word length, d_c)
        words: Tensor = self.layers(characters.flatten(1))  # (words, C_w · d_c) → (words, dim)
        return words

    def save(self, folder: Path) -> None:
        """As ``alphabet.json``."""
        self.alphabet.save(folder / FILE_NAME)
