"""The built-in model from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyglance.systems.builders.image import build_backbone
from polyglance.systems.config import MiniConfig
from polyglance.systems.fingerprint import Tower

if TYPE_CHECKING:
    from polyglance.losses.base import ScoreLoss
    from polyglance.systems.mini import Mini, MiniImageHeads
    from polyglance.text.mini_heads import MiniTextHeads


def build_mini(config: MiniConfig, loss: ScoreLoss) -> Mini:
    """Both towers and the heads on them.

    Raises:
        WeightsError: a tower has not been fetched.
    """
    from polyglance.systems.mini import Mini
    from polyglance.text.sentence_encoder import SentenceEncoder

    backbone, towers = build_backbone(config.backbone)
    encoder = SentenceEncoder.load()
    image, text = build_mini_heads(config, channels=backbone.channels)
    return Mini(
        backbone=backbone,
        encoder=encoder,
        image=image,
        text=text,
        loss=loss,
        config=config,
        towers={
            "backbone": towers["image.backbone"],
            "encoder": Tower("sentence-encoder", encoder.fingerprint),
        },
    )


def build_mini_heads(
    config: MiniConfig, *, channels: int = 2048, sentence_dropout: float = 0.0
) -> tuple[MiniImageHeads, MiniTextHeads]:
    """The parts of ``mini`` that learn; a recipe trains them without the towers."""
    from polyglance.systems.mini import MiniImageHeads
    from polyglance.text.lexical import LexicalCorrection
    from polyglance.text.mini_heads import MiniTextHeads
    from polyglance.vision.caption_head import CaptionHead
    from polyglance.vision.class_names import ClassNames

    captions = CaptionHead(
        channels=channels,
        components=config.components,
        heads=config.heads,
        branches=config.branches,
        dimension=config.branch_dimension,
        hidden=config.image_hidden,
        dropout=config.dropout,
    )
    correction = LexicalCorrection(
        buckets=config.buckets,
        width=config.ngram_width,
        hidden=config.text_hidden,
        dropout=config.dropout,
        sentence_dropout=sentence_dropout,
    )
    text = MiniTextHeads(
        correction=correction,
        branches=config.branches,
        dimension=config.branch_dimension,
        hidden=config.text_hidden,
        dropout=config.dropout,
    )
    return MiniImageHeads(captions=captions, names=ClassNames()), text
