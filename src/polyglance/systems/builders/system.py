"""Whole systems from their configurations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from polyglance.data.text import NO_TEXTS, Texts
from polyglance.errors import ConfigError
from polyglance.losses.base import EmbeddingLoss, ScoreLoss
from polyglance.systems.base import System
from polyglance.systems.builders.image import build_backbone, build_image_encoder
from polyglance.systems.builders.text import build_text_encoder
from polyglance.systems.config import (
    CL2CMConfig,
    CLMRConfig,
    CosineConfig,
    DistilledConfig,
    DualEncoderConfig,
    FeiConfig,
    HubDualEncoderConfig,
    LossConfig,
    MatchingConfig,
    MiniConfig,
    NRCCRConfig,
    OrderConfig,
    Part,
    PortazConfig,
    SCANConfig,
    SmoothConfig,
    StackedCrossAttentionConfig,
    SystemConfig,
    VSEppConfig,
)

if TYPE_CHECKING:
    from polyglance.matching.base import Matching
    from polyglance.systems.dual_encoder import DualEncoder


def build_system(
    config: SystemConfig, *, training_texts: Texts = NO_TEXTS, folder: Path | None = None
) -> System:
    """Build a system with fresh heads.

    Args:
        config: what to build.
        training_texts: captions to collect words or characters from, or to train a tokenizer on,
            where the configuration asks for that.
        folder: a checkpoint that has these and the architectures; weights are not read.

    Raises:
        ConfigError: something is to be collected from captions, and there are none.
        WeightsError: a pretrained tower has not been fetched.
        ModelError: a transformers model is not where the configuration says.
    """
    from polyglance.systems.builders.hub import build_hub_dual_encoder
    from polyglance.systems.builders.mini import build_mini
    from polyglance.systems.builders.translated import build_translated
    from polyglance.systems.translated import as_dual_encoder

    if isinstance(config, MiniConfig):
        return build_mini(config, build_score_loss(config.loss, "mini"))
    if isinstance(config, HubDualEncoderConfig):
        return build_hub_dual_encoder(config, folder)
    if isinstance(config, FeiConfig):
        return _fei(config, training_texts, folder)
    if isinstance(config, NRCCRConfig | CL2CMConfig | DistilledConfig):
        plain = as_dual_encoder(config)
        around = _dual_encoder(plain, plain, training_texts, folder)
        return build_translated(config, around, training_texts=training_texts, folder=folder)
    return _dual_encoder(_plain(config), config, training_texts, folder)


def _plain(
    config: DualEncoderConfig | SmoothConfig | VSEppConfig | SCANConfig | CLMRConfig | PortazConfig,
) -> DualEncoderConfig:
    """A published system in the terms of the plain dual encoder."""
    from polyglance.systems import clmr, portaz, scan, smooth, vsepp

    match config:
        case DualEncoderConfig():
            return config
        case SmoothConfig():
            return smooth.as_dual_encoder(config)
        case VSEppConfig():
            return vsepp.as_dual_encoder(config)
        case SCANConfig():
            return scan.as_dual_encoder(config)
        case CLMRConfig():
            return clmr.as_dual_encoder(config)
        case PortazConfig():
            return portaz.as_dual_encoder(config)
        case _:
            assert_never(config)


def _dual_encoder(
    plain: DualEncoderConfig,
    config: Part,
    training_texts: Texts,
    folder: Path | None,
) -> DualEncoder:
    from polyglance.systems.cotrained import CoTrained
    from polyglance.systems.dual_encoder import DualEncoder

    backbone, towers = build_backbone(plain.image.backbone, folder=folder)
    text, text_towers = build_text_encoder(
        plain.text, dimension=plain.dimension, training_texts=training_texts, folder=folder
    )
    image = build_image_encoder(plain.image, backbone=backbone, dimension=plain.dimension)
    matching, loss = build_matching(plain.matching), build_loss(plain.loss)
    text_loss = _text_loss(config)
    if text_loss is not None:
        return CoTrained(
            image=image,
            text=text,
            matching=matching,
            loss=loss,
            text_loss=text_loss,
            config=config,
            towers=towers | text_towers,
        )
    return DualEncoder(
        image=image,
        text=text,
        matching=matching,
        loss=loss,
        config=config,
        towers=towers | text_towers,
    )


def _text_loss(config: Part) -> ScoreLoss | None:
    """The loss of parallel texts, for systems that learn from them."""
    if not isinstance(config, CLMRConfig | VSEppConfig | SCANConfig) or config.text_loss is None:
        return None
    return build_score_loss(config.text_loss, f"{config.system} on parallel text")


def _fei(config: FeiConfig, training_texts: Texts, folder: Path | None) -> System:
    from polyglance.losses.info_nce import InfoNCE
    from polyglance.pretraining.tasks import PretrainingTasks
    from polyglance.systems.builders.single_stream import build_single_stream, towers_of
    from polyglance.systems.fei import Fei
    from polyglance.vision.described_regions import RegionDescriber

    pretraining, weights = config.objective == "pretraining", config.tasks.model_dump()
    aligns = {
        "alignment": True,
        "pretraining": config.alignment_weight > 0,
        "retrieval": config.mined is not None,
    }[config.objective]
    backbone, towers = build_backbone(config.backbone, folder=folder)
    image = RegionDescriber(
        backbone=backbone,
        probabilities=pretraining and weights["mrc"] > 0,
        cells_per_side=config.cells_per_side,
    )
    stream, tokenizer = build_single_stream(
        config.stream, channels=backbone.channels, training_texts=training_texts, folder=folder
    )
    tasks = None
    if pretraining:
        tasks = PretrainingTasks(
            tokenizer=tokenizer,
            width=stream.width,
            vocabulary_size=len(stream.trunk.words),
            weights=weights,
            classes=image.classes,
        )
    return Fei(
        image=image,
        tokenizer=tokenizer,
        stream=stream,
        tasks=tasks,
        loss=build_score_loss(config.loss, "fei"),
        alignment=InfoNCE(**config.alignment.model_dump(exclude={"kind"})) if aligns else None,
        config=config,
        towers=towers | towers_of(stream),
    )


def build_matching(config: MatchingConfig) -> Matching:
    """How images and texts are compared."""
    from polyglance.matching.cosine import CosineMatching
    from polyglance.matching.order import OrderMatching
    from polyglance.matching.stacked_cross_attention import StackedCrossAttention

    match config:
        case CosineConfig():
            return CosineMatching()
        case OrderConfig():
            return OrderMatching()
        case StackedCrossAttentionConfig():
            return StackedCrossAttention(
                direction=config.direction,
                pooling=config.pooling,
                inverse_temperature=config.inverse_temperature,
                lse_scale=config.lse_scale,
            )
        case _:
            assert_never(config)


def build_loss(config: LossConfig) -> ScoreLoss | EmbeddingLoss:
    """The loss that the catalogue has under the configuration's kind."""
    from polyglance.losses.catalogue import LOSSES

    return LOSSES[config.kind](**config.model_dump(exclude={"kind"}))


def build_score_loss(config: LossConfig, system: str) -> ScoreLoss:
    """A loss for a system that has scores to offer and nothing else.

    Raises:
        ConfigError: it is a loss over embeddings.
    """
    loss = build_loss(config)
    if not isinstance(loss, ScoreLoss):
        raise ConfigError(f"{system} is trained with a loss over scores, not {config.kind!r}")
    return loss
