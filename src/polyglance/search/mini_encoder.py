"""``mini`` for who asks by words: texts without torch, pictures when the first one comes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyglance.data.language import one_language_each
from polyglance.data.text import normalise_text
from polyglance.errors import ModelError
from polyglance.systems.checkpoint import WEIGHTS, fingerprint, read_config
from polyglance.systems.locate import name_of
from polyglance.systems.mini_in_numpy import MiniTexts
from polyglance.text.ngrams import hash_ngrams
from polyglance.text.sentence_encoder import SentenceEncoder

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from polyglance.retriever import Retriever
    from polyglance.vision.heat_map import HeatMap
    from polyglance.vision.preprocessing import Preprocessing

SYSTEM = "mini"


class MiniEncoder:
    """An :class:`~polyglance.search.encoder.Encoder` of the built-in model. Thread-safe.

    Texts are encoded as :class:`~polyglance.Retriever` does it, to rounding. The rest is that
    one's, which is loaded when it is needed first.

    Args:
        folder: of the checkpoint.
        asked: what it was asked for; see :func:`~polyglance.systems.locate.name_of`.

    Attributes:
        name: as a retriever has it, and likewise ``fingerprint``, ``languages``, ``dimension``.

    Raises:
        ModelError: the folder is no checkpoint, is damaged, or was trained on another sentence
            encoder than the one in the cache.
        WeightsError: the sentence encoder has not been fetched.
    """

    localises = True

    def __init__(self, folder: Path, asked: str | Path) -> None:
        described = read_config(folder)
        self._texts = MiniTexts(folder / WEIGHTS)
        self._sentences = SentenceEncoder.load()
        wanted = described["towers"]["encoder"]["fingerprint"]
        if self._sentences.fingerprint != wanted:
            raise ModelError(
                f"{folder} was trained on another sentence-encoder than the one in the cache; "
                "fetch it anew with `polyglance download sentence-encoder`"
            )
        self._sentences.open()  # now, while others wait for the disk
        self._folder = folder
        self._loading = threading.Lock()
        self._loaded: Retriever | None = None
        self.name = name_of(folder, asked)
        self.fingerprint = fingerprint(folder)
        self.languages = tuple(described["languages"])
        self.dimension = self._texts.dimension

    def require_embeddings(self) -> None:
        """It has some."""

    def encode_texts(
        self, texts: Sequence[str], *, language: str | Sequence[str] | None = None
    ) -> NDArray[np.float32]:
        """(n) texts → (n, dimension), unit rows; it needs no language.

        Raises:
            ValueError: ``language`` has another length than ``texts``.
        """
        one_language_each(language, len(texts))  # has to fit, though none is needed
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        normal = [normalise_text(text) for text in texts]
        ngrams = [hash_ngrams(text, buckets=self._texts.buckets) for text in normal]
        return self._texts(self._sentences.embed(normal), ngrams)

    @property
    def preprocessing(self) -> Preprocessing:
        """From a decoded picture to pixels."""
        return self._whole().preprocessing

    def encode_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 3, size, size) uint8 → (n, dimension), unit rows."""
        return self._whole().encode_pixels(pixels)

    def explain(self, image: Image.Image, text: str, *, language: str | None = None) -> HeatMap:
        """Where in a picture a text is."""
        return self._whole().explain(image, text, language=language)

    def _whole(self) -> Retriever:
        from polyglance.retriever import Retriever

        with self._loading:
            if self._loaded is None:
                self._loaded = Retriever.load(self._folder)
            return self._loaded


def is_mini(folder: Path) -> bool:
    """Whether a model is one that :class:`MiniEncoder` reads."""
    try:
        described: dict[str, Any] = read_config(folder)
    except ModelError:
        return False  # of another kind; who loads it tells what is wrong
    model, towers = described["model"], described["towers"]
    return model.get("system") == SYSTEM and "encoder" in towers
