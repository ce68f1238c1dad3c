"""Two models against a manifest: one finds, the other puts the best of what it found in order.

A model that compares pair by pair needs a pass for every pair: a thousand pictures with five
captions each are five million. Reranked, only what a first model puts at the top is compared: of
every caption its best pictures and of every picture its best captions, pairs on both lists once.

The first model's recall at the length of the lists is the ceiling of the second, and is reported
beside what the second makes of it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from polyglance.errors import ConfigError
from polyglance.evaluation.caveats import caveats, unknown_languages
from polyglance.evaluation.encoded import compare
from polyglance.evaluation.encoding import (
    EncodedPictures,
    EncodedTexts,
    Encoder,
    chosen_languages,
    encode_captions,
    encode_pictures,
)
from polyglance.evaluation.halves import joined, rsum_of_half
from polyglance.evaluation.plan import Part, Plan
from polyglance.evaluation.ranks import BothWays
from polyglance.evaluation.results import Ceiling, Gallery, Report, Reranking, Skipped
from polyglance.evaluation.scores import Scores
from polyglance.evaluation.shortlists import Shortlists, shortlists

if TYPE_CHECKING:
    from polyglance.data.feature_store import FeatureStore
    from polyglance.data.record import Record
    from polyglance.features import Features

TOP = 64
WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Cosines lie within a few tenths of one another, scores of a second stage within a few units."""


class PairScorer(Protocol):
    """A model that reranks; :class:`polyglance.Reranker` is one."""

    @property
    def encoder(self) -> Encoder:
        """The model with its reading of pictures and texts."""

    def score_pairs(
        self, images: Features, texts: Features, pairs: Tensor, *, show_progress: bool = False
    ) -> Tensor:
        """(pairs, 2) rows of pictures and of texts → (pairs,) float32."""


class Scored(NamedTuple):
    """One fold of one language: lists of the first stage, and what the second gives their pairs.

    Attributes:
        lists: of both directions.
        scores: (pairs,) in the order of ``lists.pairs``.
    """

    lists: Shortlists
    scores: Tensor


class CrossWeighted(NamedTuple):
    """Orders by both scores, no weight chosen on the queries that it is measured on.

    Attributes:
        report: of all queries.
        weights: of the first stage's scores, for pictures at even and at odd places.
    """

    report: Report
    weights: tuple[float, float]


class _Told(NamedTuple):
    """What a :class:`~polyglance.evaluation.results.Report` tells beside its numbers."""

    model: str
    fingerprint: str
    manifest: str
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TwoStages:
    """Everything scored, so that the stages can be weighed against one another at no cost.

    Attributes:
        plan: what is ranked among what.
        scored: tag → its parts.
        told: names, skipped pictures and warnings.
        judge: name and fingerprint of the second model.
        top: length of a list.
    """

    plan: Plan
    scored: Mapping[str, Sequence[Scored]]
    told: _Told
    judge: tuple[str, str]
    top: int

    @property
    def passes(self) -> int:
        """Pairs that the second model compared."""
        return sum(len(part.scores) for parts in self.scored.values() for part in parts)

    def first(self) -> Report:
        """The first stage alone."""
        ranks = {tag: [lists.first for lists, _ in parts] for tag, parts in self.scored.items()}
        return self._told(self.plan.report(ranks))

    def report(self, *, weight: float = 0.0) -> Report:
        """The order by the second stage's score + ``weight`` · the first stage's.

        Raises:
            ValueError: a score of the second stage is not finite.
        """
        first = self.first()
        name, fingerprint = self.judge
        reranking = Reranking(
            model=name,
            fingerprint=fingerprint,
            top=self.top,
            weight=weight,
            passes=self.passes,
            ceilings={tag: _ceiling(parts) for tag, parts in self.scored.items()},
            first=first,
        )
        reranked = self._told(self.plan.report(self._ranks(weight)))
        return replace(reranked, model=f"{first.model}, reranked by {name}", reranking=reranking)

    def best_weight(self, weights: Sequence[float] = WEIGHTS) -> float:
        """The weight with the highest mean of recalls over languages; of equal ones the first.

        Raises:
            ValueError: there is no weight to choose from.
        """
        if not weights:
            raise ValueError("no weights to choose from")
        return max(weights, key=lambda weight: self.plan.report(self._ranks(weight)).mean.rsum)

    def cross_weighted(self, weights: Sequence[float] = WEIGHTS) -> CrossWeighted:
        """Both scores together, the weight for each half of the queries chosen on the other half.

        For when all pictures at hand are to be reported on. Each picture, and each text with its
        picture, looks among all of them.

        Raises:
            ValueError: there is no weight to choose from, or a score is not finite.
        """
        if not weights:
            raise ValueError("no weights to choose from")
        ranks = {weight: self._ranks(weight) for weight in weights}

        def best_for(*, odd: bool) -> float:
            return max(
                weights, key=lambda weight: rsum_of_half(self.plan.parts, ranks[weight], odd=odd)
            )

        of_even, of_odd = best_for(odd=True), best_for(odd=False)
        both = joined(self.plan.parts, ranks[of_even], ranks[of_odd])
        return CrossWeighted(self._told(self.plan.report(both)), (of_even, of_odd))

    def _ranks(self, weight: float) -> dict[str, list[BothWays]]:
        return {
            tag: [lists.reranked(scores, weight=weight) for lists, scores in parts]
            for tag, parts in self.scored.items()
        }

    def _told(self, measured: Report) -> Report:
        return replace(measured, **self.told._asdict())


def two_stages(
    retriever: Encoder,
    reranker: PairScorer,
    records: Sequence[Record],
    *,
    top: int = TOP,
    languages: Sequence[str] | None = None,
    gallery: Gallery = "all",
    folds: int = 1,
    batch_size: int = 32,
    draws: int = 1000,
    seed: int = 0,
    manifest: str = "",
    features: FeatureStore | None = None,
    reranker_features: FeatureStore | None = None,
    show_progress: bool = False,
) -> TwoStages:
    """Find with one model, and score the best that it found with another.

    Pictures that either of them cannot read are set aside with their captions.

    Args:
        retriever: the first stage.
        reranker: the second.
        records: pictures and captions; ids are distinct.
        top: of every query so many are scored by the second stage.
        languages: tags to measure; ``None`` for every language that has a caption.
        gallery: ``all`` pictures, or only those ``captioned`` in the language.
        folds: consecutive parts to measure apart and average.
        batch_size: pictures encoded at once.
        draws: of the bootstrap; 0 for no intervals.
        seed: of the bootstrap.
        manifest: told in the report.
        features: read by the first stage in place of the pictures.
        reranker_features: read by the second stage in place of the pictures.
        show_progress: on standard error, with the number of passes before they start.

    Raises:
        ConfigError: a language has no captions, or there are fewer pictures than folds.
        PictureError: not one picture can be read.
        ValueError: ``top`` is not positive.
    """
    chosen = chosen_languages(records, languages)
    judge = reranker.encoder

    def pictures(
        encoder: Encoder, some: Sequence[Record], store: FeatureStore | None
    ) -> EncodedPictures:
        return encode_pictures(
            encoder, some, batch_size=batch_size, show_progress=show_progress, features=store
        )

    judged = pictures(judge, records, reranker_features)
    found = pictures(retriever, judged.records, features)
    asked = encode_captions(retriever, found.records, chosen, show_progress=show_progress)
    if not asked:
        raise ConfigError(f"no picture with a caption in {', '.join(chosen)} can be read")
    plan = Plan(
        [record.id for record in found.records],
        {tag: texts.image_ids for tag, texts in asked.items()},
        gallery=gallery,
        folds=folds,
        draws=draws,
        seed=seed,
    )
    lists = {
        tag: _listed(parts, compare(retriever.system, found.images, asked[tag].texts), top)
        for tag, parts in plan.parts.items()
    }
    if show_progress:
        passes = sum(len(some.pairs) for parts in lists.values() for some in parts)
        print(
            f"reranking the best {top} of every query: {passes:,} passes of {judge.name}",
            file=sys.stderr,
            flush=True,
        )
    there = {record.id for record in found.records}
    rows = [row for row, record in enumerate(judged.records) if record.id in there]
    images = judged.images.features.rows(torch.tensor(rows))
    texts = encode_captions(judge, found.records, list(asked), show_progress=show_progress)
    scored = {
        tag: _scored(reranker, images, texts[tag], plan.parts[tag], some, show_progress)
        for tag, some in lists.items()
    }
    lost = [tag for tag in chosen if tag not in asked]
    warnings = caveats(found.records, languages=list(asked), known=retriever.languages, lost=lost)
    unknown = unknown_languages(list(asked), judge.languages, who=f"the reranker {judge.name}")
    told = _Told(
        retriever.name,
        retriever.fingerprint,
        manifest,
        judged.skipped + found.skipped,
        (*warnings, *unknown),
    )
    return TwoStages(plan, scored, told, (judge.name, judge.fingerprint), top)


def best_weight(
    retriever: Encoder,
    reranker: PairScorer,
    records: Sequence[Record],
    *,
    weights: Sequence[float] = WEIGHTS,
    top: int = TOP,
    languages: Sequence[str] | None = None,
    features: FeatureStore | None = None,
    reranker_features: FeatureStore | None = None,
    show_progress: bool = False,
) -> float:
    """The weight of the first stage's scores that does best on these pictures.

    By the mean of the six recalls over languages, as models are chosen. The pictures are those of
    training or validation and never those that are reported on.

    Args:
        retriever: the first stage.
        reranker: the second.
        records: pictures and captions to choose on.
        weights: to choose from; of equally good ones the first is taken.
        top: as in :func:`two_stages`, like everything below.
        languages: as above.
        features: as above.
        reranker_features: as above.
        show_progress: as above.

    Raises:
        ConfigError: a language has no captions.
        PictureError: not one picture can be read.
        ValueError: there is no weight to choose from, or ``top`` is not positive.
    """
    stages = two_stages(
        retriever,
        reranker,
        records,
        top=top,
        languages=languages,
        draws=0,
        features=features,
        reranker_features=reranker_features,
        show_progress=show_progress,
    )
    return stages.best_weight(weights)


def _listed(parts: Sequence[Part], scores: Scores, top: int) -> list[Shortlists]:
    """One language: (images, texts) scores of the first stage → lists, part by part."""
    return [
        shortlists(part.of(scores), row_ids=part.pictures, column_ids=part.own, top=top)
        for part in parts
    ]


def _scored(
    reranker: PairScorer,
    images: Features,
    texts: EncodedTexts,
    parts: Sequence[Part],
    lists: Sequence[Shortlists],
    show_progress: bool,
) -> list[Scored]:
    """One language: all its pairs at once, cut into its parts again."""
    features = texts.texts.features
    pairs = list(starmap(_in_all, zip(parts, lists, strict=True)))
    scores = reranker.score_pairs(images, features, torch.cat(pairs), show_progress=show_progress)
    cut = torch.split(scores, [len(some) for some in pairs])
    return [Scored(*each) for each in zip(lists, cut, strict=True)]


def _in_all(part: Part, lists: Shortlists) -> Tensor:
    """The pairs of a part, as places of all pictures and rows of all the language's texts."""
    pictures, texts = torch.from_numpy(part.pictures), torch.from_numpy(part.texts)
    pairs = lists.pairs
    return torch.stack([pictures[pairs[:, 0]], texts[pairs[:, 1]]], dim=1)  # (pairs, 2)


def _ceiling(parts: Sequence[Scored]) -> Ceiling:
    """Every fold counts the same, as in :func:`~polyglance.evaluation.averages.over_folds`."""
    ways = [(lists.columns.ceiling, lists.rows.ceiling) for lists, _ in parts]
    forward, backward = np.mean(ways, axis=0).tolist()
    return Ceiling(text_to_image=forward, image_to_text=backward)
