"""How fast a model encodes, on this machine and with all of its processors."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from polyglance.listing.entry import Speed
from polyglance.search.relevance import reference_texts

if TYPE_CHECKING:
    from polyglance.search.encoder import Encoder

SECONDS = 2.0  # that texts, and then pictures, are encoded for at least
PICTURES = 16  # encoded at once, as `polyglance index` does it


def measure_speed(encoder: Encoder) -> Speed:
    """Encode words and sentences of seven languages, and pictures of noise, again and again.

    Pictures have been decoded and resized before; what they show makes no difference.

    Args:
        encoder: the model.

    Raises:
        ModelError: the model compares pair by pair and has no embeddings.
    """
    encoder.require_embeddings()
    languages, texts = zip(*reference_texts(), strict=True)
    size = encoder.preprocessing.size
    pixels = np.random.default_rng(0).integers(0, 256, (PICTURES, 3, size, size), dtype=np.uint8)
    return Speed(
        texts=_rate(lambda: encoder.encode_texts(texts, language=languages), len(texts)),
        pictures=_rate(lambda: encoder.encode_pixels(pixels), PICTURES),
    )


def _rate(encode: Callable[[], object], count: int) -> float:
    """How many a second, after one call that nobody times."""
    encode()
    rounds, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < SECONDS or not rounds:
        encode()
        rounds += 1
    return rounds * count / elapsed
