"""Systems that learn from machine translations, around the dual encoder that they end as."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from polyglance.data.text import NO_TEXTS, Texts
from polyglance.systems.builders.text import build_text_encoder
from polyglance.systems.config import (
    CL2CMConfig,
    DistilledConfig,
    NRCCRConfig,
    SentenceTextConfig,
)

if TYPE_CHECKING:
    from polyglance.systems.dual_encoder import DualEncoder
    from polyglance.systems.translated import TranslationLearner
    from polyglance.text.base import TextEncoder


def build_translated(
    config: NRCCRConfig | CL2CMConfig | DistilledConfig,
    plain: DualEncoder,
    *,
    training_texts: Texts = NO_TEXTS,
    folder: Path | None = None,
) -> TranslationLearner:
    """Put what trains it around a dual encoder.

    Args:
        config: what to build.
        plain: the encoders, the matching and the loss.
        training_texts: as for the dual encoder.
        folder: a checkpoint of the dual encoder, whose words or tokenizer a teacher shares.

    Raises:
        ConfigError: an encoder has no words, and they are to be compared; or a teacher collects
            words from captions, and there are none.
        ModelError: a transformers model, or a file of the checkpoint, is missing.
        WeightsError: a tower has not been fetched.
    """
    from polyglance.systems.builders.system import build_score_loss
    from polyglance.systems.cl2cm import CL2CM
    from polyglance.systems.distilled import Distilled
    from polyglance.systems.nrccr import NRCCR

    image, text, matching, loss = plain.image, plain.text, plain.matching, plain.loss
    towers = plain.towers
    match config:
        case NRCCRConfig():
            return NRCCR(
                image=image, text=text, matching=matching, loss=loss, config=config, towers=towers
            )
        case CL2CMConfig():
            return CL2CM(
                image=image,
                text=text,
                matching=matching,
                loss=loss,
                sentence_loss=build_score_loss(config.sentence_loss, "cl2cm"),
                teacher=_teacher(config, training_texts, folder),
                config=config,
                towers=towers,
            )
        case DistilledConfig():
            return Distilled(
                image=image, text=text, matching=matching, loss=loss, config=config, towers=towers
            )
        case _:
            assert_never(config)


def _teacher(config: CL2CMConfig, training_texts: Texts, folder: Path | None) -> TextEncoder | None:
    """The encoder between the languages; ``None``: the student's own."""
    from polyglance.text.sentence_encoder import SentenceEncoder

    if config.teacher == "shared":
        return None
    described = config.text if config.teacher == "own" else config.teacher
    raw = isinstance(described, SentenceTextConfig) and not described.project
    dimension = SentenceEncoder.dimension if raw else config.dimension
    return build_text_encoder(
        described, dimension=dimension, training_texts=training_texts, folder=folder
    )[0]
