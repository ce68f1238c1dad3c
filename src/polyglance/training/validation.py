"""Measuring a system while it trains, by the protocol of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from polyglance.data.dataset import PictureSource
from polyglance.data.record import Record
from polyglance.errors import ConfigError, PictureError
from polyglance.evaluation.encoded import Encoded, compare
from polyglance.evaluation.protocol import Scored, evaluate_scores
from polyglance.precision import inference_precision
from polyglance.text.batching import length_sorted_batches

if TYPE_CHECKING:
    from torch import Tensor

    from polyglance.evaluation.results import Report
    from polyglance.features import Features
    from polyglance.systems.base import System

BATCH = 128
CPU = torch.device("cpu")


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
            source: of the held-back pictures; those that it cannot load leave the gallery, and
                with their pictures a language's captions, all of them perhaps.
            draws: of the bootstrap, for intervals.

        Raises:
            PictureError: not one picture with a caption can be read.
        """
        system.eval()
        with torch.inference_mode(), inference_precision(system.device.type):
            pictures, images = self._encode_pictures(system, source)
            captions = {
                tag: self._score(system, tag, pictures, images)
                for tag in self._languages
                if any(self._records[picture].captions.get(tag) for picture in pictures)
            }
        if not captions:
            raise PictureError(
                "none of the validation pictures that can be read has a caption in "
                f"{', '.join(self._languages)}"
            )
        return evaluate_scores(pictures, captions, draws=draws)

    def _encode_pictures(self, system: System, source: PictureSource) -> tuple[list[int], Encoded]:
        """Indices of the pictures that can be read, and what they were encoded to."""
        pictures: list[int] = []
        images = Encoded(system)
        for start in range(0, len(self._records), BATCH):
            loaded = source.load(range(start, min(start + BATCH, len(self._records))))
            if loaded.indices:
                pictures += loaded.indices
                images.add(system.encode_images(loaded.images.to(system.device)).to(CPU))
        if not pictures:
            raise PictureError(f"none of the {len(self._records)} validation pictures can be read")
        return pictures, images

    def _score(self, system: System, tag: str, pictures: Sequence[int], images: Encoded) -> Scored:
        captions = [
            (text, picture)
            for picture in pictures
            for text in self._records[picture].captions.get(tag, ())
        ]
        texts = Encoded(system)
        for rows in length_sorted_batches([text for text, _ in captions], batch_size=BATCH):
            inputs = system.prepare_texts([captions[row][0] for row in rows], [tag] * len(rows))
            inputs = {name: tensor.to(system.device) for name, tensor in inputs.items()}
            texts.add(system.encode_texts(inputs).to(CPU), rows)
        scores = compare(_OnItsDevice(system), images, texts)
        return Scored(scores, [picture for _, picture in captions])


class _OnItsDevice:
    """Compares features that are kept on the CPU where the system is.

    Args:
        system: that compares.
    """

    def __init__(self, system: System) -> None:
        self._system = system

    @property
    def is_inner_product(self) -> bool:
        """As the system says."""
        return self._system.is_inner_product

    def score_all(self, images: Features, texts: Features) -> Tensor:
        """(images, texts) float32, on the CPU."""
        device = self._system.device
        return self._system.score_all(images.to(device), texts.to(device)).to(CPU)
