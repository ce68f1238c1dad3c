"""What a training step sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class TextPairs:
    """Sentences of one language and their translations into another, with no pictures.

    Attributes:
        pivots: sentences of the language that every pair of languages has in common.
        translations: the same sentences in the other language.
        pivot_language: BCP-47 tag of ``pivots``.
        language: BCP-47 tag of ``translations``.
        pivot_ids: (pairs,) int64, equal where two pivots say the very same.
        translation_ids: (pairs,) int64, equal where two translations do.
    """

    pivots: list[str]
    translations: list[str]
    pivot_language: str
    language: str
    pivot_ids: Tensor
    translation_ids: Tensor

    @property
    def positives(self) -> Tensor:
        """(pairs, pairs) bool: which translations say what which pivots say."""
        return translation_positives(self.pivot_ids, self.translation_ids)

    def rows(self, rows: Sequence[int]) -> TextPairs:
        """Some of them."""
        return replace(
            self,
            pivots=[self.pivots[row] for row in rows],
            translations=[self.translations[row] for row in rows],
            pivot_ids=self.pivot_ids[list(rows)],
            translation_ids=self.translation_ids[list(rows)],
        )

    def to(self, device: torch.device) -> TextPairs:
        """The same, with tensors on a device."""
        return replace(
            self,
            pivot_ids=self.pivot_ids.to(device),
            translation_ids=self.translation_ids.to(device),
        )


def translation_positives(pivot_ids: Tensor, translation_ids: Tensor) -> Tensor:
    """(pairs, pairs) bool: which translations say what which pivots say.

    A sentence translates its own line, and every line that is the same on either side.

    Args:
        pivot_ids: (pairs,), equal where two pivots say the very same.
        translation_ids: (pairs,), equal where two translations do.
    """
    same_pivot = pivot_ids[:, None] == pivot_ids[None, :]  # (pairs, pairs)
    return same_pivot | (translation_ids[:, None] == translation_ids[None, :])


@dataclass(frozen=True, slots=True)
class Sentences:
    """Sentences that stand alone, with neither pictures nor translations.

    Attributes:
        texts: sentences of any languages.
        languages: the BCP-47 tag of each.
    """

    texts: list[str]
    languages: list[str]


@dataclass(frozen=True, slots=True)
class Translated:
    """Captions of the batch's pictures in one language, and what machines made of them in another.

    ``Batch.texts`` holds the same captions: ``sources`` first, then ``targets``, in this order. So
    a system that only wants texts learns from translations without knowing it, and one that wants
    the pairs encodes ``Batch.texts`` once and cuts the result in two halves.

    Attributes:
        sources: captions as people wrote them.
        targets: the translation of each; or, for the ceiling, a caption that somebody wrote in
            the target language about the same picture, which says what it wants.
        source_language: BCP-47 tag of ``sources``.
        target_languages: the BCP-47 tag of each of ``targets``, without the engine's suffix.
        image_ids: (pairs,) int64, the picture that each pair describes; may repeat.
        back: each target translated back into the source language, where there are such; the
            source itself where that one has none.
        shared: (pairs, pairs) bool or ``None``: further true pairs, where the source or the target
            of two pictures is, word for word, the same.
    """

    sources: list[str]
    targets: list[str]
    source_language: str
    target_languages: list[str]
    image_ids: Tensor
    back: list[str] | None = None
    shared: Tensor | None = None

    @property
    def positives(self) -> Tensor:
        """(pairs, pairs) bool: which targets say what which sources say, by their pictures."""
        own = self.image_ids[:, None] == self.image_ids[None, :]  # (pairs, pairs)
        return own if self.shared is None else own | self.shared

    def to(self, device: torch.device) -> Translated:
        """The same, with tensors on a device."""
        return replace(
            self,
            image_ids=self.image_ids.to(device),
            shared=None if self.shared is None else self.shared.to(device),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures and captions, joined by picture id and never by position.

    Attributes:
        images: (images, ...) uint8 pixels (images, 3, height, width), or cached backbone features
            where the backbone is frozen.
        image_ids: (images,) int64, the picture's index in its dataset; may repeat.
        texts: captions as strings.
        languages: the BCP-47 tag of each text.
        text_image_ids: (texts,) int64, the picture that each text describes.
        also: (pairs, 2) int64 or ``None``: further true pairs, where a text is also, word for
            word, a caption of another picture: the row of the text, and the picture's id.
        parallel: sentences and their translations without pictures, one entry a language pair.
        monolingual: sentences without pictures or translations, if there are any.
        translated: which texts are machine translations of which, where that is trained on.
    """

    images: Tensor
    image_ids: Tensor
    texts: list[str]
    languages: list[str]
    text_image_ids: Tensor
    also: Tensor | None = None
    parallel: tuple[TextPairs, ...] = ()
    monolingual: Sentences | None = None
    translated: Translated | None = None

    @property
    def positives(self) -> Tensor:
        """(images, texts) bool: which texts describe which pictures, in any language."""
        return caption_positives(self.image_ids, self.text_image_ids, self.also)

    def to(self, device: torch.device) -> Batch:
        """The same, with tensors on a device; pinned ones are copied while others compute."""
        return replace(
            self,
            images=self.images.to(device, non_blocking=True),
            image_ids=self.image_ids.to(device),
            text_image_ids=self.text_image_ids.to(device),
            also=None if self.also is None else self.also.to(device),
            parallel=tuple(pairs.to(device) for pairs in self.parallel),
            translated=None if self.translated is None else self.translated.to(device),
        )


def caption_positives(image_ids: Tensor, text_image_ids: Tensor, also: Tensor | None) -> Tensor:
    """(images, texts) bool: which texts describe which pictures.

    Args:
        image_ids: (images,).
        text_image_ids: (texts,) the picture that each text describes.
        also: (pairs, 2) rows of texts, and ids of further pictures that they describe.
    """
    positives = image_ids[:, None] == text_image_ids[None, :]  # (images, texts)
    if also is not None:
        image, pair = (image_ids[:, None] == also[None, :, 1]).nonzero(as_tuple=True)
        positives[image, also[pair, 0]] = True
    return positives
