"""The text side of ``mini`` from its checkpoint, in numpy: a query need not wait for torch.

The same functions as :mod:`polyglance.text.lexical`, :mod:`polyglance.text.mini_heads` and
:func:`polyglance.systems.mini.join`, for the few texts of a search.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyglance.errors import ModelError
from polyglance.systems.int8 import SCALE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]  # of 32 bits

PREFIX, AXES = "text.", "axes"
EPSILON = 1e-5  # of the layer norm
TINY = 1e-12  # of normalising


class MiniTexts:
    """(sentence embeddings, n-grams) → embeddings.

    Args:
        weights: of a checkpoint, ``model.safetensors``.

    Attributes:
        buckets: of n-grams.
        dimension: of embeddings.

    Raises:
        ModelError: the file is damaged, or of another model.
    """

    def __init__(self, weights: Path) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(weights, framework="numpy") as file:
                stored = {
                    name.removeprefix(PREFIX): file.get_tensor(name)
                    for name in file.keys()  # noqa: SIM118 -- it is no mapping
                    if name.startswith((PREFIX, AXES))
                }
            # The table is large, and a text needs few of its rows: they are restored when needed.
            self._table = stored.pop("correction.table")
            self._scales = stored.pop("correction.table" + SCALE, None)
            self._weights = _restored(stored)
            self.buckets = len(self._table)
            self._branches = sum(name.startswith("turns.") for name in self._weights)
            captions = len(self._weights["turns.0.weight"]) * self._branches
            joined = captions + len(self._weights["names.weight"])
            self._axes = self._weights.get(AXES, np.eye(joined, dtype=np.float32))
            self.dimension = len(self._axes)
        except (OSError, SafetensorError, KeyError) as error:
            raise ModelError(f"{weights} cannot be loaded: {error}") from None

    def __call__(self, sentences: Floats, ngrams: Sequence[Sequence[int]]) -> Floats:
        """(texts, 512) unit rows and each text's buckets → (texts, dimension), unit rows."""
        english = self._corrected(sentences, ngrams)
        large = english * math.sqrt(english.shape[1])
        captions = [self._branch(at, english, large) for at in range(self._branches)]
        names = _unit(english @ self._weights["names.weight"].T)
        amount = np.log([[max(1, len(row))] for row in ngrams]).astype(np.float32)
        share = _sigmoid(self._linear("share", np.concatenate([large, amount], axis=1)))
        as_caption = np.concatenate(captions, axis=1) * (share / math.sqrt(self._branches))
        joined = np.concatenate([as_caption, names * (1 - share)], axis=1)
        return _unit(joined @ self._axes.T)  # (texts, joined) → (texts, dimension)

    def _branch(self, at: int, english: Floats, large: Floats) -> Floats:
        turned: Floats = english @ self._weights[f"turns.{at}.weight"].T
        return _unit(turned + self._mlp(f"branches.{at}", large))

    def _corrected(self, sentences: Floats, ngrams: Sequence[Sequence[int]]) -> Floats:
        """Into the sentence encoder's English space, unit rows."""
        letters = np.stack([self._rows(row).sum(0) for row in ngrams])  # (texts, width)
        letters -= letters.mean(1, keepdims=True)
        letters /= np.sqrt((letters**2).mean(1, keepdims=True) + EPSILON)
        letters = letters * self._weights["correction.norm.weight"]
        letters += self._weights["correction.norm.bias"]
        joined = np.concatenate([sentences * math.sqrt(sentences.shape[1]), letters], axis=1)
        gate = _sigmoid(self._linear("correction.gate", joined))
        return _unit(gate * sentences + self._mlp("correction.correct", joined))

    def _rows(self, buckets: Sequence[int]) -> Floats:
        rows: Floats = self._table[np.asarray(buckets, dtype=np.int64)].astype(np.float32)
        if self._scales is not None:
            rows *= self._scales[np.asarray(buckets, dtype=np.int64)]
        return rows

    def _mlp(self, name: str, inputs: Floats) -> Floats:
        return self._linear(f"{name}.3", _gelu(self._linear(f"{name}.0", inputs)))

    def _linear(self, name: str, inputs: Floats) -> Floats:
        outputs: Floats = inputs @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return outputs


def _restored(stored: dict[str, NDArray[Any]]) -> dict[str, Floats]:
    """What :func:`polyglance.systems.int8.quantise_rows` made, as float32."""
    return {
        name: array.astype(np.float32)
        * (stored[name + SCALE].astype(np.float32) if name + SCALE in stored else np.float32(1))
        for name, array in stored.items()
        if not name.endswith(SCALE)
    }


def _unit(rows: Floats) -> Floats:
    unit: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY)
    return unit


def _sigmoid(values: Floats) -> Floats:
    shares: Floats = 1 / (1 + np.exp(-values))
    return shares


def _gelu(values: Floats) -> Floats:
    """The exact x Φ(x). The erf of scipy is faster, but takes longer to import than it saves."""
    erf = np.fromiter(map(math.erf, (values / math.sqrt(2)).flat), np.float32, values.size)
    passed: Floats = values * (1 + erf.reshape(values.shape)) / 2
    return passed
