"""The texts that a recipe names besides plain captions, and whether its system learns from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polyglance.data.monolingual import MonolingualSampler, read_sentences
from polyglance.data.noise import Noise, NoiseRates
from polyglance.data.parallel import ParallelSampler, read_aligned
from polyglance.data.translated import TranslatedCaptions, human_captions, machine_translations
from polyglance.errors import ConfigError

if TYPE_CHECKING:
    from polyglance.data.record import Record
    from polyglance.systems.base import System
    from polyglance.training.loop import Split
    from polyglance.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class TextSources:
    """What every batch gets besides captioned pictures.

    Attributes:
        parallel: sentences and their translations, if any.
        monolingual: sentences that stand alone, if any.
    """

    parallel: ParallelSampler | None = None
    monolingual: MonolingualSampler | None = None

    @property
    def languages(self) -> set[str]:
        """BCP-47 tags of all of them."""
        return {tag for sampler in self._samplers().values() for tag in sampler.languages}

    def texts(self) -> Iterator[tuple[str, str]]:
        """Language and text of every sentence, for a vocabulary."""
        for sampler in self._samplers().values():
            yield from sampler.texts()

    def check(self, system: System) -> None:
        """See that the system learns from what there is.

        Raises:
            ConfigError: it does not; what it never looks at would count as trained on.
        """
        for name in sorted(self._samplers().keys() - system.learns_from):
            raise ConfigError(
                f"data.{name}: this model does not learn from sentences without pictures of that "
                f"kind; remove the table, or train {_LEARNERS[name]}"
            )

    def _samplers(self) -> dict[str, ParallelSampler | MonolingualSampler]:
        both = {"parallel": self.parallel, "monolingual": self.monolingual}
        return {name: sampler for name, sampler in both.items() if sampler is not None}


_LEARNERS = {
    "parallel": 'model.system = "clmr", "vsepp" or "scan" with a model.text_loss, or "fei" with '
    "weights for tlm or cltr",
    "monolingual": 'model.system = "fei" with a weight for text_mlm',
}


def text_sources(
    recipe: Recipe,
    records: Mapping[Split, Sequence[Record]],
    *,
    rank: int = 0,
    world_size: int = 1,
) -> TextSources:
    """The recipe's texts without pictures, of which each process draws its share.

    Raises:
        ManifestError: a file is missing, or two that should be parallel differ in length.
        ConfigError: there are no sentences in the languages.
    """
    return TextSources(
        make_parallel(recipe, records, rank=rank, world_size=world_size),
        make_monolingual(recipe, rank=rank, world_size=world_size),
    )


def make_parallel(
    recipe: Recipe,
    records: Mapping[Split, Sequence[Record]],
    *,
    rank: int = 0,
    world_size: int = 1,
) -> ParallelSampler | None:
    """The recipe's sentences with their translations, if it names any.

    Raises:
        ManifestError: a file is missing, or two of them differ in length.
        ConfigError: there are no sentences in the languages.
    """
    config = recipe.data.parallel
    if config is None:
        return None
    sentences = [row for files in config.train for row in read_aligned(files)]
    if config.manifest:
        held_back = {record.id for record in records.get("validation", ())}
        sentences += [r.parallel for r in records["train"] if r.id not in held_back]
    if config.languages is not None:
        wanted = {config.pivot, *config.languages}
        sentences = [{tag: row[tag] for tag in row if tag in wanted} for row in sentences]
    return ParallelSampler(
        sentences,
        pivot=config.pivot,
        batch_size=config.batch_size or recipe.training.batch_size,
        seed=recipe.training.seed,
        rank=rank,
        world_size=world_size,
    )


def make_monolingual(
    recipe: Recipe, *, rank: int = 0, world_size: int = 1
) -> MonolingualSampler | None:
    """The recipe's sentences that stand alone, if it names any.

    Raises:
        ManifestError: a file is missing.
        ConfigError: a language has no sentences.
    """
    config = recipe.data.monolingual
    if config is None:
        return None
    return MonolingualSampler(
        read_sentences(config.train),
        batch_size=config.batch_size or recipe.training.batch_size,
        weights=config.weights,
        seed=recipe.training.seed,
        rank=rank,
        world_size=world_size,
    )


def translated_captions(recipe: Recipe, records: Sequence[Record]) -> TranslatedCaptions | None:
    """The recipe's captions with their translations, if it draws them together.

    Raises:
        ConfigError: the manifest has not what the recipe names.
    """
    from polyglance.text.segment import word_spans

    config = recipe.data.translated
    if config is None:
        return None
    noise = None
    if config.noise is not None:
        rates = NoiseRates(config.noise.drop, config.noise.swap, config.noise.wrong)
        noise = Noise(rates, spans=word_spans, seed=config.noise.seed)
    if config.human:
        return human_captions(records, source=config.source, target=config.target, noise=noise)
    return machine_translations(
        records,
        source=config.source,
        target=config.target,
        engines=config.engines,
        back=config.back,
        noise=noise,
    )
