"""Captions with their machine translations: what a language without captions is learned from.

The setting of CL2CM (Wang et al., AAAI 2024) and NRCCR (Wang et al., MM 2022): pictures have
captions that people wrote in a source language, and machines translated them into the target
language, with mistakes. The manifest has the translations under ``machine_translated``, one for
each source caption and in their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from polyglance.data.batch import Translated
from polyglance.data.noise import Noise
from polyglance.data.record import Record
from polyglance.data.sampler import CaptionPair, Pick, caption_identity
from polyglance.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

Pairs = Mapping[str, Sequence[CaptionPair]]
"""Of one picture: engine → pairs."""


@dataclass(frozen=True, slots=True)
class TranslatedCaptions:
    """The pairs of each picture, from which a sampler draws.

    Attributes:
        source: BCP-47 tag of the source captions.
        target: BCP-47 tag of their translations, without an engine's suffix.
        pairs: of each picture; one without any is not drawn.
        records: the pictures, with each engine's targets as captions: what a sampler draws from,
            so that an engine is drawn like a language and a pair like a caption.
    """

    source: str
    target: str
    pairs: Sequence[Pairs]
    records: Sequence[Record]

    @property
    def languages(self) -> tuple[str, str]:
        """Source and target."""
        return self.source, self.target

    def texts(self) -> Iterator[tuple[str, str]]:
        """Language and text of either side, each once a picture, for a vocabulary."""
        for engines in self.pairs:
            of_picture = [pair for pairs in engines.values() for pair in pairs]
            yield from dict.fromkeys((self.source, pair.source) for pair in of_picture)
            yield from dict.fromkeys((self.target, pair.target) for pair in of_picture)

    def digest(self) -> str:
        """Hex, over all that may be drawn."""
        told = repr((self.source, self.target, [sorted(some.items()) for some in self.pairs]))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def both_sides(
        self, picks: Sequence[Pick], also: Mapping[tuple[int, str], tuple[int, ...]]
    ) -> list[Pick]:
        """Picks among ``records`` → those of their sources, then those of the targets.

        Args:
            picks: one a pair.
            also: (picture, caption) → other pictures that carry the same caption.
        """
        pairs = [self.pairs[pick.picture][pick.language][pick.number] for pick in picks]
        sources = [
            Pick(pick.picture, self.source, pair.source, also.get((pick.picture, pair.source), ()))
            for pick, pair in zip(picks, pairs, strict=True)
        ]
        targets = [
            replace(pick, language=self.target, pair=pair)
            for pick, pair in zip(picks, pairs, strict=True)
        ]
        return [*sources, *targets]


def machine_translations(
    records: Sequence[Record],
    *,
    source: str,
    target: str,
    engines: Sequence[str],
    back: Mapping[str, str] | None = None,
    noise: Noise | None = None,
) -> TranslatedCaptions:
    """Pair captions with their machine translations.

    Args:
        records: pictures; one without the source language, or without an engine, lacks its pairs.
        source: BCP-47 tag of the captions.
        target: BCP-47 tag of the translations' language.
        engines: tags under ``machine_translated``, such as ``zh-baidu``.
        back: engine → tag under ``machine_translated`` of its translations back.
        noise: added to the translations; those back stay what they were without it.

    Raises:
        ConfigError: no picture has an engine's translations, or those back from it, or one has not
            as many as captions.
    """
    pairs: list[dict[str, Sequence[CaptionPair]]] = [{} for _ in records]
    for engine in engines:
        found = {
            r.id: r.machine_translated[engine]
            for r in records
            if r.captions.get(source) and r.machine_translated.get(engine)
        }
        if not found:
            raise _no_translations(records, source, engine)
        if noise is None:
            targets: Mapping[str, Sequence[str]] = found
        else:
            targets = noise.add(found, language=target, engine=engine)
        tag = (back or {}).get(engine, "")
        if tag and not any(tag in record.machine_translated for record in records):
            raise _no_translations(records, source, tag, key="back")
        for record, of_picture in zip(records, pairs, strict=True):
            if record.id in targets:
                of_picture[engine] = _aligned(record, source, engine, targets[record.id], tag)
    return _captions(records, source, target, pairs)


def human_captions(
    records: Sequence[Record], *, source: str, target: str, noise: Noise | None = None
) -> TranslatedCaptions:
    """Pair captions with those that people wrote in the target language about the same picture.

    The ceiling of what translations can teach. Neither side translates the other, so that each is
    drawn independently: a pair says no more than that both are of one picture.

    Args:
        records: pictures; one that lacks either language has no pairs.
        source: BCP-47 tag of one side.
        target: BCP-47 tag of the other side.
        noise: added to the target's captions, as if a machine had made them.

    Raises:
        ConfigError: no picture has captions in both languages.
    """
    found = {
        r.id: r.captions[target]
        for r in records
        if r.captions.get(source) and r.captions.get(target)
    }
    if not found:
        raise ConfigError(
            f"data.translated: no picture has captions in both {source!r} and {target!r}"
        )
    targets = found if noise is None else noise.add(found, language=target)
    pairs = [
        {target: [CaptionPair(*two) for two in product(r.captions[source], targets[r.id])]}
        if r.id in targets
        else {}
        for r in records
    ]
    return _captions(records, source, target, pairs)


def translated_side(picks: Sequence[Pick]) -> Translated | None:
    """The pairs of a batch's picks, sources first; ``None`` where nothing is translated."""
    import torch

    middle = len(picks) // 2
    sources, targets = picks[:middle], picks[middle:]
    pairs = [pick.pair for pick in targets if pick.pair is not None]
    if not pairs:
        return None
    image_ids = torch.tensor([pick.picture for pick in targets])  # (pairs,)
    same = _same([p.source for p in pairs]) | _same([p.target for p in pairs])
    elsewhere = same & (image_ids[:, None] != image_ids[None, :])  # (pairs, pairs)
    has_back = any(pair.back is not None for pair in pairs)
    return Translated(
        sources=[pair.source for pair in pairs],
        targets=[pair.target for pair in pairs],
        source_language=sources[0].language,
        target_languages=[pick.language for pick in targets],
        image_ids=image_ids,
        back=[pair.back or pair.source for pair in pairs] if has_back else None,
        shared=elsewhere if elsewhere.any() else None,
    )


def _aligned(
    record: Record, source: str, engine: str, targets: Sequence[str], back: str
) -> list[CaptionPair]:
    sources = record.captions[source]
    returned = record.machine_translated.get(back, (None,) * len(sources))
    for tag, sentences in ((engine, targets), (back, returned)):
        if len(sentences) != len(sources):
            raise ConfigError(
                f"picture {record.id!r} has {len(sources)} captions in {source!r} and "
                f"{len(sentences)} translations {tag!r}; there must be one for each, in their order"
            )
    return [CaptionPair(*three) for three in zip(sources, targets, returned, strict=True)]


def _captions(
    records: Sequence[Record], source: str, target: str, pairs: Sequence[Pairs]
) -> TranslatedCaptions:
    drawn = [
        replace(
            record,
            captions={engine: tuple(p.target for p in some) for engine, some in of_picture.items()},
        )
        for record, of_picture in zip(records, pairs, strict=True)
    ]
    return TranslatedCaptions(source, target, pairs, drawn)


def _no_translations(
    records: Sequence[Record], source: str, tag: str, *, key: str = "engines"
) -> ConfigError:
    known = sorted({tag for record in records for tag in record.machine_translated})
    return ConfigError(
        f"data.translated.{key}: no picture with captions in {source!r} has translations "
        f"{tag!r}; under machine_translated there are: {', '.join(known) or 'none'}"
    )


def _same(texts: Sequence[str]) -> Tensor:
    """(texts, texts) bool: which say the very same."""
    import torch

    numbers: dict[str, int] = {}
    ids = torch.tensor([numbers.setdefault(caption_identity(t), len(numbers)) for t in texts])
    return ids[:, None] == ids[None, :]
