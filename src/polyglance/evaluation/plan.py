"""What is ranked among what, before anything is scored; and a report of the ranks that came of it.

Whoever ranks, in one stage or in two, asks the same questions: every language and every fold is a
:class:`Part`, whose texts look for their pictures and whose pictures look for their texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polyglance.errors import ConfigError
from polyglance.evaluation.averages import (
    DrawnBoth,
    drawn,
    over_folds,
    over_languages,
    with_intervals,
)
from polyglance.evaluation.bootstrap import Draws, draw_pictures
from polyglance.evaluation.ranks import BothWays
from polyglance.evaluation.results import Crossing, Gallery, LanguageResult, RankVariance, Report
from polyglance.evaluation.scores import Scores

Ids = Sequence[int] | Sequence[str] | Tensor | NDArray[np.generic]


class Fold(NamedTuple):
    """Pictures ``first`` to ``last`` (excluded), and how often each bootstrap draw takes each."""

    first: int
    last: int
    weights: Draws


class Part(NamedTuple):
    """One fold of one language.

    Attributes:
        fold: in which it lies.
        pictures: (pictures,) their places, ascending; each stands in every text's gallery.
        texts: (texts,) their rows among the language's, ascending.
        own: (texts,) the place of the picture that each describes.
    """

    fold: Fold
    pictures: NDArray[np.int64]
    texts: NDArray[np.int64]
    own: NDArray[np.int64]

    def of(self, scores: Scores) -> Scores:
        """Of the scores of all pictures against all texts of the language, those asked for."""
        return scores.part(torch.from_numpy(self.pictures), torch.from_numpy(self.texts))


class Plan:
    """All parts of an evaluation.

    Args:
        image_ids: (images,) distinct.
        described: tag → (texts,) the picture that each text describes; at least one text each.
        gallery: ``all`` pictures of a fold, or those ``captioned`` in the language.
        folds: consecutive parts of the pictures, of equal size.
        draws: of the bootstrap; 0 for no intervals.
        seed: of the bootstrap.

    Raises:
        ConfigError: there is no text, or there are fewer pictures than folds.
        ValueError: ids repeat, or a text names an unknown picture.
    """

    def __init__(
        self,
        image_ids: Ids,
        described: Mapping[str, Ids],
        *,
        gallery: Gallery = "all",
        folds: int = 1,
        draws: int = 1000,
        seed: int = 0,
    ) -> None:
        if not described:
            raise ConfigError("no captions to evaluate: the pictures have none in these languages")
        names = plain(image_ids)
        if not 1 <= folds <= len(names):
            raise ConfigError(f"{len(names)} pictures cannot be cut into {folds} folds")
        self.places = {name: place for place, name in enumerate(names)}
        if len(self.places) != len(names):
            raise ValueError("every picture needs one id, and every id one picture")
        self.gallery, self.draws, self.seed = gallery, draws, seed
        self.folds = _folds(len(names), folds, draws, seed)
        self.parts = {tag: self._parts(self.placed(ids)) for tag, ids in described.items()}

    def placed(self, image_ids: Ids) -> NDArray[np.int64]:
        """(texts,) the place of the picture that each text describes.

        Raises:
            ConfigError: there is no text.
            ValueError: a text describes a picture that is not among these.
        """
        ids = plain(image_ids)
        unknown = [image_id for image_id in ids if image_id not in self.places]
        if unknown:
            raise ValueError(f"a text describes picture {unknown[0]!r}, which has no embedding")
        if not ids:
            raise ConfigError("a language without a text cannot be evaluated")
        return np.array([self.places[image_id] for image_id in ids], dtype=np.int64)

    def report(
        self,
        ranks: Mapping[str, Sequence[BothWays]],
        *,
        text_to_text: Mapping[str, Mapping[str, Crossing]] | None = None,
    ) -> Report:
        """Metrics, averages and intervals.

        Args:
            ranks: tag → of each part, pictures as rows and texts as columns.
            text_to_text: what else was measured.
        """
        measured = {
            tag: _measure(parts, ranks[tag], len(self.places)) for tag, parts in self.parts.items()
        }
        return Report(
            images=len(self.places),
            languages={tag: language.result() for tag, language in measured.items()},
            mean=with_intervals(over_languages([language.drawn for language in measured.values()])),
            rank_variance=_rank_variance(list(measured.values())),
            text_to_text=text_to_text or {},
            gallery=self.gallery,
            folds=len(self.folds),
            seed=self.seed,
            draws=self.draws,
        )

    def _parts(self, described: NDArray[np.int64]) -> list[Part]:
        """(texts,) the picture that each describes → folds that have a text."""
        parts = []
        for fold in self.folds:
            texts = np.flatnonzero((described >= fold.first) & (described < fold.last))
            if not len(texts):
                continue  # nothing to measure in this language here
            own = described[texts]
            captioned = self.gallery == "captioned"
            pictures = np.unique(own) if captioned else np.arange(fold.first, fold.last)
            parts.append(Part(fold, pictures, texts, own))
        return parts


@dataclass(frozen=True, slots=True)
class _Measured:
    """One language.

    Attributes:
        drawn: both directions, averaged over folds.
        ranks: (2, images) rank of each picture by direction; NaN without a caption.
        counts: (images captioned,) captions of each.
    """

    drawn: DrawnBoth
    ranks: NDArray[np.floating]
    counts: NDArray[np.int64]

    def result(self) -> LanguageResult:
        return LanguageResult(
            scores=with_intervals(self.drawn),
            images=len(self.counts),
            captions=int(self.counts.sum()),
            fewest=int(self.counts.min()),
            most=int(self.counts.max()),
        )


def plain(ids: Ids) -> list[int | str]:
    """Ids that are equal where they look equal, which one-element tensors are not."""
    return [*(ids.tolist() if isinstance(ids, (Tensor, np.ndarray)) else ids)]


def _folds(pictures: int, folds: int, draws: int, seed: int) -> list[Fold]:
    edges = np.linspace(0, pictures, folds + 1).round().astype(int).tolist()
    return [
        Fold(first, last, draw_pictures(last - first, draws=draws, seed=seed + number))
        for number, (first, last) in enumerate(pairwise(edges))
    ]


def _measure(parts: Sequence[Part], ranked: Sequence[BothWays], images: int) -> _Measured:
    """The parts of one language with their ranks."""
    forward, backward = [], []
    ranks = np.full((2, images), np.nan)
    for part, both in zip(parts, ranked, strict=True):
        captioned = part.pictures[both.rows.queries]
        first, _, weights = part.fold
        forward.append(drawn(both.columns, part.own - first, weights))
        backward.append(drawn(both.rows, captioned - first, weights))
        ranks[0, captioned] = _mean_by_picture(both.columns.best, part.own)
        ranks[1, captioned] = both.rows.best
    counts = np.unique(np.concatenate([part.own for part in parts]), return_counts=True)[1]
    return _Measured(DrawnBoth(over_folds(forward), over_folds(backward)), ranks, counts)


def _mean_by_picture(best: NDArray[np.int64], pictures: NDArray[np.int64]) -> NDArray[np.floating]:
    """(texts,) ranks and pictures → (pictures that occur, ascending) mean rank of their texts."""
    inverse = np.unique(pictures, return_inverse=True)[1]
    return np.asarray(np.bincount(inverse, weights=best) / np.bincount(inverse))


def _rank_variance(languages: Sequence[_Measured]) -> RankVariance | None:
    """Mean rank variance, after CCRK (Nie et al., KDD 2024): consistency across languages.

    The variance over languages of a picture's rank, averaged over the pictures that have a
    caption in every language. Where a picture has several captions in a language, its
    text-to-image rank there is their mean, and its image-to-text rank is the best one's.
    """
    ranks = np.stack([language.ranks for language in languages])  # (languages, 2, images)
    everywhere = ~np.isnan(ranks).any(axis=(0, 1))  # (images,)
    if len(languages) < 2 or not everywhere.any():
        return None
    forward, backward = ranks[:, :, everywhere].var(axis=0).mean(axis=1).tolist()
    return RankVariance(forward, backward, int(everywhere.sum()))
