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

    Features are of this process, masks and rows are over all that train the system together.

    Attributes:
        images: (images, ...).
        sources: (pairs, ...).
        targets: (pairs, ...) their translations.
        back: (pairs, ...) the translations, translated back, where there are any.
        described: (all images, all pairs) bool, by the sources.
        translated: (all images, all pairs) bool, by the targets.
        pictures: (all pairs,) int64, the row of each pair's picture among all images.
    """

    images: Features
    sources: Features
    targets: Features
    back: Features | None
    described: Tensor
    translated: Tensor
    pictures: Tensor

    @property
    def same(self) -> Tensor:
        """(all pairs, all pairs) bool: which targets say what which sources say.

        They do where there is a picture that both describe.
        """
        return self.described.T.float() @ self.translated.float() > 0


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

    @property
    def trains_together(self) -> bool:
        """What is contrasted is gathered; all else are means over pairs, of which ranks have alike.

        Where a picture could not be read, its process has a pair fewer, and each counts a bit more.
        """
        return True

    def encode_pairs(self, batch: Batch, *, words: bool = False) -> EncodedPairs:
        """Encode the pictures and, in one go, the texts on all sides.

        Args:
            batch: with translations.
            words: keep the words of texts.

        Raises:
            ConfigError: it has no translations.
        """
        pairs = translations_of(batch)
        count, back = len(pairs.sources), self._back(batch)
        source = pairs.source_language
        texts = encode(
            self.text,
            [*pairs.sources, *pairs.targets, *back],
            [*[source] * count, *pairs.target_languages, *[source] * len(back)],
            words=words,
        )
        described, translated, pictures = self._masks(batch, count)
        return EncodedPairs(
            images=self.encode_images(batch.images),
            sources=texts.rows(slice(count)),
            targets=texts.rows(slice(count, 2 * count)),
            back=texts.rows(slice(2 * count, None)) if back else None,
            described=described,
            translated=translated,
            pictures=pictures,
        )

    def _back(self, batch: Batch) -> list[str]:
        """Back-translations, for all processes if one has any: they must gather the same."""
        pairs = translations_of(batch)
        own = torch.tensor([pairs.back is not None], device=batch.image_ids.device)
        if not self.gatherer.rows(own.to(torch.uint8)).any():
            return []
        return pairs.sources if pairs.back is None else pairs.back

    def _masks(self, batch: Batch, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`EncodedPairs`; ``count`` is of this process's pairs."""
        gather = self.gatherer
        positives = gather.positives(batch)  # (all images, all texts)
        sides = torch.arange(2 * count, device=batch.image_ids.device) >= count
        is_target = gather.rows(sides.to(torch.uint8)).bool()  # (all texts,)
        of_pairs = gather.rows(batch.text_image_ids)[is_target]  # (all pairs,)
        own = gather.rows(batch.image_ids)[None, :] == of_pairs[:, None]
        return positives[:, ~is_target], positives[:, is_target], own.int().argmax(1)

    def contrast(
        self,
        rows: Features,
        columns: Features,
        positives: Tensor,
        *,
        counts: bool = False,
        among: Tensor | slice = slice(None),
    ) -> Tensor:
        """The loss between pictures and texts, or texts and texts, its terms summed.

        A loss that counts its steps must count one a step, which is the one that ``counts``.

        Args:
            rows: of this process.
            columns: of this process.
            positives: (all rows, all columns) bool.
            counts: see above.
            among: (all columns,) bool, those that take part.
        """
        self.loss.train(self.training and counts)
        whole = Features(rows.embedding), Features(columns.embedding)  # no words to be gathered
        terms = self.cross_modal_loss(*whole, positives, among=among)
        return torch.stack([*terms.values()]).sum()

    def contrast_targets(self, each: EncodedPairs) -> Tensor:
        """The loss between pictures and translations."""
        return self.contrast(each.images, each.targets, each.translated)

    def contrast_sources(self, each: EncodedPairs) -> Tensor:
        """The loss between pictures and source captions; the last of a step."""
        return self.contrast(each.images, each.sources, each.described, counts=True)

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """(all rows, all columns) scores between embeddings of which this process has some."""
        return self.score_everywhere(Features(first), Features(second))

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
