"""Image encoders from their configurations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from polyglance.errors import ConfigError
from polyglance.heads import ProjectionHead
from polyglance.systems.config import (
    AttentionPoolingConfig,
    BackboneConfig,
    DetectorConfig,
    EfficientNetLiteConfig,
    FramesImageConfig,
    GlobalPoolingConfig,
    ImageConfig,
    MeanPoolingConfig,
    PooledImageConfig,
    PoolingConfig,
    PrecomputedConfig,
    ResNet50Config,
    TransformersBackboneConfig,
    WeldonPoolingConfig,
)
from polyglance.systems.fingerprint import Tower, state_fingerprint

if TYPE_CHECKING:
    from polyglance.vision.base import Backbone
    from polyglance.vision.image_encoder import ImageEncoder, PooledImageEncoder
    from polyglance.vision.pooling import GridPooling
    from polyglance.vision.temporal import FramesEncoder


def build_backbone(
    config: BackboneConfig, *, folder: Path | None = None
) -> tuple[Backbone, dict[str, Tower]]:
    """A backbone, and what a checkpoint may say of it instead of storing it.

    A transformers model is no tower: its weights go into the checkpoint, so that the checkpoint
    does not depend on a folder elsewhere.

    Raises:
        WeightsError: a pretrained tower has not been fetched.
    """
    from polyglance.vision.precomputed import PrecomputedBackbone
    from polyglance.vision.preprocessing import Preprocessing
    from polyglance.vision.pretrained import load_tower

    match config:
        case ResNet50Config():
            name = "resnet50"
            backbone = load_tower(name, preprocessing=Preprocessing(size=config.size))
        case EfficientNetLiteConfig():
            name = f"efficientnet-lite{config.variant}"
            backbone = load_tower(name)
        case TransformersBackboneConfig():
            return _transformers_backbone(config, folder), {}
        case PrecomputedConfig():
            precomputed = PrecomputedBackbone(
                channels=config.channels, regions=config.regions, classes=config.classes
            )
            return precomputed, {}
        case DetectorConfig():
            return _detector_backbone(config, folder)
        case _:
            assert_never(config)
    return backbone, {"image.backbone": Tower(name, state_fingerprint(backbone))}


def build_image_encoder(config: ImageConfig, *, backbone: Backbone, dimension: int) -> ImageEncoder:
    """What is learned on top of a backbone."""
    if isinstance(config, PooledImageConfig):
        return _pooled_encoder(config, backbone, dimension)
    if isinstance(config, FramesImageConfig):
        return _frames_encoder(config, backbone, dimension)
    from polyglance.vision.non_local import build_non_local
    from polyglance.vision.region_encoder import RegionEncoder

    return RegionEncoder(
        backbone=backbone,
        non_local=build_non_local(config.non_local, backbone.channels),
        dimension=dimension,
        activation=config.activation,
        normalise_regions=config.normalise_regions,
        keep_tokens=config.keep_tokens,
        dropout=config.dropout,
    )


def _pooled_encoder(
    config: PooledImageConfig, backbone: Backbone, dimension: int
) -> PooledImageEncoder:
    from polyglance.vision.image_encoder import PooledImageEncoder

    pooling, channels = _pooling(config.pooling, backbone.channels)
    head = ProjectionHead(
        input_dimension=channels,
        dimension=dimension,
        hidden=config.hidden,
        dropout=config.dropout,
    )
    return PooledImageEncoder(backbone=backbone, pooling=pooling, head=head)


def _frames_encoder(config: FramesImageConfig, backbone: Backbone, dimension: int) -> FramesEncoder:
    from polyglance.vision.temporal import FramesEncoder, TemporalPooling

    precomputed = isinstance(config.backbone, PrecomputedConfig)
    frames = backbone.grid_size[0] if precomputed else config.frames
    width = config.width or backbone.channels
    if config.layers and width % config.heads:
        raise ConfigError(f"model.image.heads: {config.heads} do not divide a width of {width}")
    temporal = TemporalPooling(
        channels=backbone.channels,
        frames=frames,
        layers=config.layers,
        heads=config.heads,
        width=config.width,
        dropout=config.dropout,
    )
    head = ProjectionHead(
        input_dimension=temporal.channels,
        dimension=dimension,
        hidden=config.hidden,
        dropout=config.dropout,
    )
    return FramesEncoder(backbone=backbone, temporal=temporal, head=head, frames=frames)


def _pooling(config: PoolingConfig, channels: int) -> tuple[GridPooling | None, int]:
    """The pooling of a grid with so many channels, and how many its result has."""
    from polyglance.vision.pooling import AttentionPooling, MeanPooling
    from polyglance.vision.weldon import WeldonPooling

    match config:
        case GlobalPoolingConfig():
            return None, channels
        case MeanPoolingConfig():
            return MeanPooling(), channels
        case AttentionPoolingConfig(heads=heads):
            return AttentionPooling(channels=channels, heads=heads), channels
        case WeldonPoolingConfig():
            pooled = config.channels or channels
            return (
                WeldonPooling(
                    channels=channels,
                    output_channels=pooled,
                    maxima=config.maxima,
                    minima=config.minima,
                ),
                pooled,
            )
        case _:
            assert_never(config)


def _transformers_backbone(config: TransformersBackboneConfig, folder: Path | None) -> Backbone:
    from polyglance.vision.preprocessing import Preprocessing
    from polyglance.vision.transformers_backbone import TransformersBackbone

    preprocessing = None if config.size is None else Preprocessing(size=config.size)
    if folder is not None:
        return TransformersBackbone.from_folder(folder)
    if config.name is not None:
        return TransformersBackbone.from_pretrained(config.name, preprocessing=preprocessing)
    if config.architecture is None:
        raise ConfigError("a transformers backbone needs a name or an architecture")
    return TransformersBackbone.from_config(config.architecture, preprocessing=preprocessing)


def _detector_backbone(
    config: DetectorConfig, folder: Path | None
) -> tuple[Backbone, dict[str, Tower]]:
    from polyglance.vision.detector import Detector
    from polyglance.vision.region_backbone import RegionBackbone

    backbone, towers = build_backbone(config.backbone, folder=folder)
    regions = RegionBackbone(backbone=backbone, detector=Detector.load(), regions=config.regions)
    # One tower, not the backbone's own: other boxes are other features. Its name is what
    # `polyglance download` takes.
    names = " ".join(["detector", *(tower.name for tower in towers.values())])
    joined = Tower(names, state_fingerprint(regions))
    return regions, {"image.backbone": joined} if towers else {}
