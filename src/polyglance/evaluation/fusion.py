"""Captions and their machine translations, asked together: how NRCCR's numbers were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from polyglance.errors import ConfigError
from polyglance.evaluation.encoded import compare
from polyglance.evaluation.encoding import EncodedPictures, Encoder, encode_translated
from polyglance.evaluation.protocol import Scored
from polyglance.evaluation.scores import MatrixScores, Scores
from polyglance.matching.fusion import fused_scores

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Fusion:
    """Which languages are asked twice, and how much their own words count.

    Attributes:
        translations: language of captions → tag under ``machine_translated`` of theirs.
        weight: of the captions' own scores; the rest is of their translations'.

    Raises:
        ConfigError: the weight is not between 0 and 1.
    """

    translations: Mapping[str, str]
    weight: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise ConfigError(f"the weight of fusion is {self.weight}; give one between 0 and 1")

    def told(self) -> list[str]:
        """What a reader of the numbers has to know, a sentence a language."""
        return [
            f"{language}: every caption was asked together with its machine translation {tag}, "
            f"whose scores count {1 - self.weight:.0%}; that takes a translator at test time"
            for language, tag in self.translations.items()
        ]


def with_translations(
    encoder: Encoder,
    pictures: EncodedPictures,
    scored: Mapping[str, Scored],
    fusion: Fusion,
    *,
    show_progress: bool = False,
) -> dict[str, Scored]:
    """Fuse the scores of captions with those of their translations, where that is asked for.

    Args:
        encoder: the model.
        pictures: encoded by it.
        scored: language → scores of its captions.
        fusion: which languages, and how.
        show_progress: on standard error.

    Raises:
        ConfigError: a language is not measured, or a caption has no translation.
    """
    fused = dict(scored)
    for language, tag in fusion.translations.items():
        if language not in scored:
            raise ConfigError(
                f"fusion: {language!r} is not among the measured: {', '.join(scored)}"
            )
        translated = encode_translated(
            encoder, pictures.records, language, tag, show_progress=show_progress
        )
        other = compare(encoder.system, pictures.images, translated.texts)
        own = scored[language]
        fused[language] = Scored(_mixed(own.scores, other, fusion.weight), own.image_ids)
    return fused


def _mixed(own: Scores, other: Scores, weight: float) -> MatrixScores:
    first, second = (each.block(slice(None), slice(None)).clone() for each in (own, other))
    tolerance = weight * _stretched_tolerance(own, first)
    tolerance += (1 - weight) * _stretched_tolerance(other, second)
    return MatrixScores(fused_scores(first, second, weight=weight), tolerance=tolerance)


def _stretched_tolerance(scores: Scores, matrix: Tensor) -> float:
    """What counts as a tie once the matrix is stretched to [0, 1], rounding errors and all."""
    least, greatest = torch.aminmax(matrix)
    extent = float(greatest - least)
    return scores.tolerance / extent if extent else 0.0
