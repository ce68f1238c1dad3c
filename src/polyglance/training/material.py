"""What a recipe's run learns from, and what it is measured on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from polyglance.data.sampler import CaptionSampler
from polyglance.errors import ConfigError
from polyglance.training.records import read_records, tell_shared
from polyglance.training.texts import TextSources, text_sources, translated_captions
from polyglance.training.validation import Validator

if TYPE_CHECKING:
    from polyglance.data.record import Record
    from polyglance.data.text import Texts
    from polyglance.data.translated import TranslatedCaptions
    from polyglance.training.loop import Split
    from polyglance.training.ranks import Ranks
    from polyglance.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Material:
    """Pictures with captions, and the texts besides.

    Attributes:
        records: pictures to learn from, and those held back.
        beside: texts without pictures.
        translated: captions with their translations, where the recipe draws them together.
        drawn: BCP-47 tags of the captions that are learned from, with weights perhaps.
    """

    records: Mapping[Split, Sequence[Record]]
    beside: TextSources
    translated: TranslatedCaptions | None
    drawn: Collection[str]

    @property
    def languages(self) -> list[str]:
        """Tags of all that is learned from."""
        return sorted({*self.drawn, *self.beside.languages})

    def texts(self, recipe: Recipe) -> Texts:
        """Language → every text that a vocabulary is made of."""
        drawn = () if self.translated else self.drawn
        tags = sorted({*recipe.data.vocabulary_languages, *drawn})
        captions = (
            (tag, text)
            for record in self.records["train"]
            for tag in tags
            for text in record.captions.get(tag, ())
        )
        translated = self.translated.texts() if self.translated else ()
        found: dict[str, list[str]] = {}
        for tag, text in chain(captions, translated, self.beside.texts()):
            found.setdefault(tag, []).append(text)
        return found

    def sampler(self, recipe: Recipe, ranks: Ranks) -> CaptionSampler:
        """This process's share of batches of pictures with captions."""
        return CaptionSampler(
            self.records["train"],
            batch_size=recipe.training.batch_size,
            language_weights=recipe.data.languages,
            captions_per_picture=recipe.data.captions_per_picture,
            translated=self.translated,
            seed=recipe.training.seed,
            rank=ranks.rank,
            world_size=ranks.world_size,
        )

    def validator(self, *more: str) -> Validator | None:
        """What measures the languages learned and ``more``; ``None`` where nothing is held back."""
        held_back = self.records.get("validation")
        if held_back is None:
            return None
        return Validator(held_back, languages=[*self.languages, *more])


def read_material(recipe: Recipe, ranks: Ranks) -> Material:
    """Read what a recipe names.

    Raises:
        ManifestError: a file is missing or malformed.
        ConfigError: the files have not what the recipe names, or a language that it calls
            zero-shot is learned.
    """
    records = read_records(recipe)
    if ranks.is_first:
        tell_shared(records)
    beside = text_sources(recipe, records, rank=ranks.rank, world_size=ranks.world_size)
    translated = translated_captions(recipe, records["train"])
    drawn: Collection[str] = recipe.data.languages or _languages(records["train"])
    if translated is not None:
        drawn = translated.languages
    material = Material(records, beside, translated, drawn)
    if trained := sorted({*material.languages} & {*recipe.data.zero_shot}):
        raise ConfigError(
            f"data.zero_shot: {', '.join(trained)} is trained on; name data.languages without it"
        )
    return material


def _languages(records: Sequence[Record]) -> set[str]:
    return {tag for record in records for tag, captions in record.captions.items() if captions}
