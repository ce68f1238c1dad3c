"""Multilingual image-text retrieval, measured: galleries, folds, averages, intervals.

Each language is measured by itself: its captions look for their pictures (``text_to_image``), and
each picture looks among the captions of that language for any of its own (``image_to_text``).

*Gallery.* By default captions are ranked against **all** pictures of the manifest, those without a
caption in the language included, as a search would rank them: so every language searches the same
pictures and languages can be compared. ``gallery="captioned"`` leaves such pictures out of that
language's gallery, as publications do where each language has its own split; with fewer pictures
the same model scores higher.

*Folds.* The pictures are cut into consecutive parts of equal size, measured apart and averaged (the
COCO-1K protocol of VSE++ and its successors, with five).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
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
from polyglance.evaluation.metrics import RECALLS, metrics
from polyglance.evaluation.ranks import EmbeddingScores, Ranks, Scores, rank, rank_embeddings
from polyglance.evaluation.results import Crossing, Gallery, LanguageResult, RankVariance, Report

Embeddings = Tensor | NDArray[np.floating]
Ids = Sequence[int] | Sequence[str] | Tensor | NDArray[np.generic]


class Texts(NamedTuple):
    """Texts of one language.

    Attributes:
        embeddings: (texts, dim).
        image_ids: (texts,) the picture that each describes.
    """

    embeddings: Embeddings
    image_ids: Ids


class Scored(NamedTuple):
    """Scores of all pictures against the texts of one language.

    Attributes:
        scores: (images, texts).
        image_ids: (texts,) the picture that each text describes.
    """

    scores: Scores
    image_ids: Ids


def evaluate_embeddings(
    images: Embeddings,
    image_ids: Ids,
    captions: Mapping[str, Texts],
    *,
    parallel: Mapping[str, Texts] | None = None,
    gallery: Gallery = "all",
    folds: int = 1,
    draws: int = 1000,
    seed: int = 0,
) -> Report:
    """Measure embeddings, wherever they come from.

    Args:
        images: (images, dim); scores are inner products, so rows of unit length give cosines.
        image_ids: (images,) distinct.
        captions: tag → captions, at least one in each language.
        parallel: tag → sentences; sentences with the same picture are translations of one another.
        gallery: ``all`` or ``captioned``; see above.
        folds: parts to measure apart and average.
        draws: of the bootstrap; 0 for no intervals.
        seed: of the bootstrap.

    Raises:
        ConfigError: there is no caption, or there are fewer pictures than folds.
        ValueError: ids repeat, a text names an unknown picture, or an embedding is not finite.
    """
    pictures = torch.as_tensor(images).float()
    if len(_plain(image_ids)) != len(pictures):
        raise ValueError("every picture needs one id, and every id one picture")
    return evaluate_scores(
        image_ids,
        {
            tag: Scored(EmbeddingScores(pictures, texts.embeddings), texts.image_ids)
            for tag, texts in captions.items()
        },
        parallel=parallel,
        gallery=gallery,
        folds=folds,
        draws=draws,
        seed=seed,
    )


def evaluate_scores(
    image_ids: Ids,
    captions: Mapping[str, Scored],
    *,
    parallel: Mapping[str, Texts] | None = None,
    gallery: Gallery = "all",
    folds: int = 1,
    draws: int = 1000,
    seed: int = 0,
) -> Report:
    """Measure scores, whatever compared pictures with texts.

    Args:
        image_ids: (images,) distinct.
        captions: tag → scores, of at least one caption in each language.
        parallel: see :func:`evaluate_embeddings`, as everything below.
        gallery: as above.
        folds: as above.
        draws: as above.
        seed: as above.

    Raises:
        ConfigError: there is no caption, or there are fewer pictures than folds.
        ValueError: ids repeat, a text names an unknown picture, or a score is not finite.
    """
    if not captions:
        raise ConfigError("no captions to evaluate: the pictures have none in these languages")
    names = _plain(image_ids)
    if not 1 <= folds <= len(names):
        raise ConfigError(f"{len(names)} pictures cannot be cut into {folds} folds")
    places = {name: place for place, name in enumerate(names)}
    if len(places) != len(names):
        raise ValueError("every picture needs one id, and every id one picture")
    cuts = _folds(len(names), folds, draws, seed)
    measured = {
        tag: _measure(scored.scores, _pictures(scored.image_ids, places), cuts, gallery)
        for tag, scored in captions.items()
    }
    return Report(
        images=len(names),
        languages={tag: language.result() for tag, language in measured.items()},
        mean=with_intervals(over_languages([language.drawn for language in measured.values()])),
        rank_variance=_rank_variance(list(measured.values())),
        text_to_text=_cross({tag: _placed(t, places) for tag, t in (parallel or {}).items()}, cuts),
        gallery=gallery,
        folds=folds,
        seed=seed,
        draws=draws,
    )


class _Fold(NamedTuple):
    """Pictures ``first`` to ``last`` (excluded), and how often each bootstrap draw takes each."""

    first: int
    last: int
    weights: Draws


class _Placed(NamedTuple):
    """Texts with the index of the picture that each describes."""

    embeddings: Tensor
    pictures: NDArray[np.int64]

    def within(self, fold: _Fold) -> _Placed:
        inside = (self.pictures >= fold.first) & (self.pictures < fold.last)
        return _Placed(self.embeddings[torch.from_numpy(inside)], self.pictures[inside])


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


def _folds(pictures: int, folds: int, draws: int, seed: int) -> list[_Fold]:
    edges = np.linspace(0, pictures, folds + 1).round().astype(int).tolist()
    return [
        _Fold(first, last, draw_pictures(last - first, draws=draws, seed=seed + number))
        for number, (first, last) in enumerate(pairwise(edges))
    ]


def _plain(ids: Ids) -> list[int | str]:
    """Ids that are equal where they look equal, which one-element tensors are not."""
    return [*(ids.tolist() if isinstance(ids, (Tensor, np.ndarray)) else ids)]


def _placed(texts: Texts, places: Mapping[int | str, int]) -> _Placed:
    embeddings = torch.as_tensor(texts.embeddings).float()
    return _Placed(embeddings, _pictures(texts.image_ids, places))


def _pictures(image_ids: Ids, places: Mapping[int | str, int]) -> NDArray[np.int64]:
    """(texts,) the place of the picture that each text describes."""
    ids = _plain(image_ids)
    unknown = [image_id for image_id in ids if image_id not in places]
    if unknown:
        raise ValueError(f"a text describes picture {unknown[0]!r}, which has no embedding")
    if not ids:
        raise ConfigError("a language without a text cannot be evaluated")
    return np.array([places[image_id] for image_id in ids], dtype=np.int64)


def _measure(
    scores: Scores, described: NDArray[np.int64], folds: Sequence[_Fold], gallery: Gallery
) -> _Measured:
    """(images, texts) scores and (texts,) the picture that each text describes."""
    forward, backward = [], []
    ranks = np.full((2, scores.shape[0]), np.nan)
    for fold in folds:
        texts = np.flatnonzero((described >= fold.first) & (described < fold.last))
        if not len(texts):
            continue  # nothing to measure in this language here
        own = described[texts]
        pictures = np.unique(own) if gallery == "captioned" else np.arange(fold.first, fold.last)
        both = rank(
            scores.part(torch.from_numpy(pictures), torch.from_numpy(texts)),
            row_ids=pictures,
            column_ids=own,
        )
        captioned = pictures[both.rows.queries]
        forward.append(drawn(both.columns, own - fold.first, fold.weights))
        backward.append(drawn(both.rows, captioned - fold.first, fold.weights))
        ranks[0, captioned] = _mean_by_picture(both.columns.best, own)
        ranks[1, captioned] = both.rows.best
    counts = np.unique(described, return_counts=True)[1]
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


def _cross(
    sentences: Mapping[str, _Placed], folds: Sequence[_Fold]
) -> dict[str, dict[str, Crossing]]:
    """Text-to-text retrieval for every ordered pair of languages that share a picture."""
    found: dict[str, dict[str, Crossing]] = {tag: {} for tag in sentences}
    for one, other in combinations(sentences, 2):
        there, back = [], []
        for fold in folds:
            a, b = sentences[one].within(fold), sentences[other].within(fold)
            if not np.intersect1d(a.pictures, b.pictures).size:
                continue
            both = rank_embeddings(
                a.embeddings, b.embeddings, row_ids=a.pictures, column_ids=b.pictures
            )
            there.append(both.rows)
            back.append(both.columns)
        if there:
            found[one][other], found[other][one] = _crossing(there), _crossing(back)
    return {tag: row for tag, row in found.items() if row}


def _crossing(folds: Sequence[Ranks]) -> Crossing:
    measured = [metrics(ranks).as_dict() for ranks in folds]
    return Crossing(
        recalls={name: float(np.mean([found[name] for found in measured])) for name in RECALLS},
        queries=sum(len(ranks.queries) for ranks in folds),
        gallery=float(np.mean([ranks.gallery for ranks in folds])),
    )
