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
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polyglance.evaluation.metrics import RECALLS, metrics
from polyglance.evaluation.plan import Fold, Ids, Plan, plain
from polyglance.evaluation.ranks import Ranks, rank, rank_embeddings
from polyglance.evaluation.results import Crossing, Gallery, Report
from polyglance.evaluation.scores import EmbeddingScores, Scores

Embeddings = Tensor | NDArray[np.floating]


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
    if len(plain(image_ids)) != len(pictures):
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
    described = {tag: scored.image_ids for tag, scored in captions.items()}
    plan = Plan(image_ids, described, gallery=gallery, folds=folds, draws=draws, seed=seed)
    ranks = {
        tag: [
            rank(part.of(captions[tag].scores), row_ids=part.pictures, column_ids=part.own)
            for part in parts
        ]
        for tag, parts in plan.parts.items()
    }
    translations = {
        tag: _Placed(torch.as_tensor(texts.embeddings).float(), plan.placed(texts.image_ids))
        for tag, texts in (parallel or {}).items()
    }
    return plan.report(ranks, text_to_text=_cross(translations, plan.folds))


class _Placed(NamedTuple):
    """Texts with the index of the picture that each describes."""

    embeddings: Tensor
    pictures: NDArray[np.int64]

    def within(self, fold: Fold) -> _Placed:
        inside = (self.pictures >= fold.first) & (self.pictures < fold.last)
        return _Placed(self.embeddings[torch.from_numpy(inside)], self.pictures[inside])


def _cross(
    sentences: Mapping[str, _Placed], folds: Sequence[Fold]
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
