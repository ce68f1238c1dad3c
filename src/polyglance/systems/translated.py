"""What systems share that learn a language from machine translations of another one's captions.

They are dual encoders, and once trained nothing else: teachers, attention between languages and
adversaries only train. A checkpoint holds the plain dual encoder: its parameters, its speed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from polyglance.data.batch import Batch, Translated
from polyglance.errors import ConfigError
from polyglance.features import Features
from polyglance.systems.config import DualEncoderConfig, TranslationLearnerConfig
from polyglance.systems.dual_encoder import DualEncoder
from polyglance.text.base import TextEncoder


@dataclass(frozen=True, slots=True)
class EncodedPairs:
    """A batch of pictures, source captions and their translations, encoded.

    Attributes:
        images: (images, ...).
        sources: (pairs, ...).
        targets: (pairs, ...) their translations.
        back: (pairs, ...) the translations, translated back, where there are any.
        described: (images, pairs) bool, by the sources.
        translated: (images, pairs) bool, by the targets.
        same: (pairs, pairs) bool: which targets say what which sources say.
        pictures: (pairs,) int64, the row of each pair's picture.
    """

    images: Features
    sources: Features
    targets: Features
    back: Features | None
    described: Tensor
    translated: Tensor
    same: Tensor
    pictures: Tensor


class TranslationLearner(DualEncoder):
    """A dual encoder that learns from pairs of captions and their translations."""

    config: TranslationLearnerConfig

    def for_use(self) -> DualEncoder:
        """The plain dual encoder, of the very same parts, without what only trains."""
        return DualEncoder(
            image=self.image,
            text=self.text,
            matching=self.matching,
            loss=self.loss,
            config=as_dual_encoder(self.config),
            towers=self.towers,
        )

    def encode_pairs(self, batch: Batch, *, words: bool = False) -> EncodedPairs:
        """Encode the pictures and, in one go, the texts on all sides.

        Args:
            batch: with translations.
            words: keep the words of texts.

        Raises:
            ConfigError: it has no translations.
        """
        pairs = translations_of(batch)
        count, back = len(pairs.sources), pairs.back or []
        source = pairs.source_language
        texts = encode(
            self.text,
            [*pairs.sources, *pairs.targets, *back],
            [*[source] * count, *pairs.target_languages, *[source] * len(back)],
            words=words,
        )
        sources, targets, backs = slice(count), slice(count, 2 * count), slice(2 * count, None)
        positives = batch.positives  # (images, both sides of the pairs)
        own = batch.image_ids[None, :] == pairs.image_ids[:, None]  # (pairs, images)
        return EncodedPairs(
            images=self.encode_images(batch.images),
            sources=texts.rows(sources),
            targets=texts.rows(targets),
            back=texts.rows(backs) if back else None,
            described=positives[:, sources],
            translated=positives[:, targets],
            same=pairs.positives,
            pictures=own.int().argmax(1),
        )

    def contrast(
        self, rows: Features, columns: Features, positives: Tensor, *, counts: bool = False
    ) -> Tensor:
        """The loss between pictures and texts, or texts and texts, its terms summed.

        A loss that counts its steps must count one a step, which is the one that ``counts``.
        """
        self.loss.train(self.training and counts)
        return torch.stack([*self.cross_modal_loss(rows, columns, positives).values()]).sum()

    def contrast_targets(self, each: EncodedPairs) -> Tensor:
        """The loss between pictures and translations."""
        return self.contrast(each.images, each.targets, each.translated)

    def contrast_sources(self, each: EncodedPairs) -> Tensor:
        """The loss between pictures and source captions; the last of a step."""
        return self.contrast(each.images, each.sources, each.described, counts=True)

    def parts(self) -> dict[str, nn.Module]:
        """Those of a dual encoder, its loss as ``loss.pictures``: it is not the whole loss."""
        parts = super().parts()
        loss = parts.pop("loss")
        return {**parts, "loss.pictures": loss}


def encode(
    encoder: TextEncoder, texts: Sequence[str], languages: Sequence[str], *, words: bool
) -> Features:
    """Encode texts, with their words where asked for, whatever the encoder keeps otherwise."""
    inputs = encoder.prepare(texts, languages)
    kept, encoder.keep_tokens = encoder.keep_tokens, words or encoder.keep_tokens
    try:
        features: Features = encoder(inputs)
    finally:
        encoder.keep_tokens = kept
    return features


def refuse_without_words(encoder: TextEncoder, system: str, keys: str) -> None:
    """See that an encoder has words to offer.

    Raises:
        ConfigError: it reads a text as a whole; ``keys`` is what to do then.
    """
    if not encoder.has_words:
        raise ConfigError(
            f"{system} compares the words of texts, and {type(encoder).__name__} reads a text as a "
            f'whole; use text.kind = "recurrent", "transformer" or "frozen-transformer", {keys}'
        )


def weighted(*terms: tuple[str, float, Callable[[], Tensor | None]]) -> dict[str, Tensor]:
    """Name → weight times term; a term of weight 0, or that there is not, is left out."""
    found = {name: (weight, term()) for name, weight, term in terms if weight}
    return {name: weight * term for name, (weight, term) in found.items() if term is not None}


def translations_of(batch: Batch) -> Translated:
    """The translations of a batch.

    Raises:
        ConfigError: it has none.
    """
    if batch.translated is None:
        raise ConfigError(
            "this model learns from captions and their translations, and there are none; add "
            "[data.translated] with source, target and engines, or train a dual-encoder"
        )
    return batch.translated


def as_dual_encoder(config: TranslationLearnerConfig) -> DualEncoderConfig:
    """The encoders, the matching and the loss in the terms of the plain dual encoder."""
    return DualEncoderConfig(
        dimension=config.dimension,
        image=config.image,
        text=config.text,
        matching=config.matching,
        loss=config.loss,
    )
