"""Measuring a system while it trains, by the protocol of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from polyglance.data.dataset import PictureSource
from polyglance.data.record import Record
from polyglance.errors import ConfigError, PictureError
from polyglance.evaluation.protocol import Texts, evaluate_embeddings
from polyglance.precision import inference_precision

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from polyglance.evaluation.results import Report
    from polyglance.systems.base import System

BATCH = 128


class Validator:
    """Encodes held-back pictures and captions and ranks them, language by language.

    Args:
        records: held-back pictures.
        languages: BCP-47 tags to measure; those without captions are left out.

    Raises:
        ConfigError: no caption is in any of the languages.
    """

    def __init__(self, records: Sequence[Record], *, languages: Sequence[str]) -> None:
        self._records = records
        self._languages = [tag for tag in languages if any(r.captions.get(tag) for r in records)]
        if not self._languages:
            raise ConfigError(
                f"none of the {len(records)} validation pictures has a caption in "
                f"{', '.join(languages)}"
            )

    def measure(self, system: System, source: PictureSource, *, draws: int = 0) -> Report:
        """Rank with the system as it is, in evaluation mode, where it is left.

        Args:
            system: to measure.
            source: of the held-back pictures; those that it cannot load leave the gallery.
            draws: of the bootstrap, for intervals.

        Raises:
            PictureError: not one picture can be read.
        """
        system.eval()
        with torch.inference_mode(), inference_precision():
            pictures, images = self._encode_pictures(system, source)
            texts = {tag: self._encode_captions(system, tag, pictures) for tag in self._languages}
        return evaluate_embeddings(images, pictures, texts, draws=draws)

    def _encode_pictures(self, system: System, source: PictureSource) -> tuple[list[int], Tensor]:
        """Indices of the pictures that can be read, and their (pictures, dim) embeddings."""
        pictures: list[int] = []
        embeddings: list[Tensor] = []
        for start in range(0, len(self._records), BATCH):
            loaded = source.load(range(start, min(start + BATCH, len(self._records))))
            if loaded.indices:
                pictures += loaded.indices
                embeddings.append(system.encode_images(loaded.images).embedding.float())
        if not pictures:
            raise PictureError(f"none of the {len(self._records)} validation pictures can be read")
        return pictures, torch.cat(embeddings)

    def _encode_captions(self, system: System, tag: str, pictures: Sequence[int]) -> Texts:
        captions = [
            (text, picture)
            for picture in pictures
            for text in self._records[picture].captions.get(tag, ())
        ]
        texts = [text for text, _ in captions]
        return Texts(encode_texts(system, texts, tag), [picture for _, picture in captions])


def encode_texts(system: System, texts: Sequence[str], tag: str) -> NDArray[np.float32]:
    """Texts of one language → (texts, dim), in batches of like lengths."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    embeddings = np.empty((len(texts), system.dimension), dtype=np.float32)
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        inputs = system.prepare_texts([texts[row] for row in rows], [tag] * len(rows))
        embeddings[rows] = system.encode_texts(inputs).embedding.float().numpy()
    return embeddings
