"""From texts to the inputs of a text graph, without torch and transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyglance.data.text import normalise_text
from polyglance.errors import ModelError
from polyglance.onnx.description import TOKENIZER, Sentences, Tokens
from polyglance.text.cleaning import clean
from polyglance.text.ngrams import PADDING, hash_ngrams

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyglance.text.sentence_encoder import SentenceEncoder

Inputs = dict[str, "NDArray[Any]"]


def text_reader(described: Sentences | Tokens, folder: Path) -> Callable[[Sequence[str]], Inputs]:
    """A function from texts to the inputs of ``text.onnx``, by name. Thread-safe.

    Args:
        described: how.
        folder: of the export.

    Raises:
        ModelError: the tokenizer is missing or damaged, or the sentence encoder in the cache is
            another one.
        WeightsError: the sentence encoder has not been fetched.
    """
    if isinstance(described, Sentences):
        return _Sentences(described)
    return _Tokens(described, folder)


class _Sentences:
    """``sentences`` (texts, 512) float32 and ``ngrams`` (texts, longest) int64."""

    def __init__(self, described: Sentences) -> None:
        from polyglance.text.sentence_encoder import SentenceEncoder

        self._buckets = described.buckets
        self._encoder: SentenceEncoder = SentenceEncoder.load()
        if self._encoder.fingerprint != described.encoder:
            raise ModelError(
                "the sentence encoder in the cache is not the one that was exported with; fetch "
                "it anew with `polyglance download mini`, or export anew"
            )

    def __call__(self, texts: Sequence[str]) -> Inputs:
        normal = [normalise_text(text) for text in texts]
        rows = [hash_ngrams(text, buckets=self._buckets) for text in normal]
        ngrams = np.full((len(rows), max([1, *map(len, rows)])), PADDING, dtype=np.int64)
        for index, row in enumerate(rows):
            ngrams[index, : len(row)] = row
        return {"sentences": self._encoder.embed(normal), "ngrams": ngrams}


class _Tokens:
    """``input_ids`` and perhaps ``attention_mask``, int64 (texts, length)."""

    def __init__(self, described: Tokens, folder: Path) -> None:
        from tokenizers import Tokenizer

        self._has_mask = described.has_mask
        self._cleaning = described.cleaning
        try:
            tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        except Exception as error:
            raise ModelError(f"{folder / TOKENIZER} cannot be read: {error}") from None
        tokenizer.encode_special_tokens = True  # their names in a text are plain text
        tokenizer.enable_truncation(described.max_length)
        tokenizer.enable_padding(
            length=described.max_length if described.pads_fully else None,
            pad_id=described.pad_id,
            direction=described.pad_side,
        )
        self._tokenizer = tokenizer

    def __call__(self, texts: Sequence[str]) -> Inputs:
        encoded = self._tokenizer.encode_batch([clean(text, self._cleaning) for text in texts])
        inputs = {"input_ids": np.array([each.ids for each in encoded], dtype=np.int64)}
        if self._has_mask:
            masks = [each.attention_mask for each in encoded]
            inputs["attention_mask"] = np.array(masks, dtype=np.int64)
        return inputs
