"""Configuration of image encoders: a backbone, and what is learned on top of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from polyglance.systems.config.part import Part, Probability

# Backbones --------------------------------------------------------------------------------------


class ResNet50Config(Part):
    """The ResNet-50 pretrained on ImageNet that ``polyglance download resnet50`` fetches.

    Attributes:
        size: side in pixels that pictures are brought to.
    """

    kind: Literal["resnet50"] = "resnet50"
    size: PositiveInt = 224


class EfficientNetLiteConfig(Part):
    """An EfficientNet-Lite pretrained on ImageNet.

    Attributes:
        variant: its size, the smallest first.
    """

    kind: Literal["efficientnet-lite"] = "efficientnet-lite"
    variant: Literal[0, 1, 2] = 0


class TransformersBackboneConfig(Part):
    """Any transformers vision model: a local folder or a hub name, or a configuration alone.

    Attributes:
        name: folder or hub name of a pretrained one.
        architecture: or a transformers configuration, to start from chance.
        size: side in pixels that pictures are brought to; the model's own where absent.
    """

    kind: Literal["transformers"] = "transformers"
    name: str | None = None
    architecture: dict[str, object] | None = None
    size: PositiveInt | None = None


class PrecomputedConfig(Part):
    """Regions that come from files; such a model cannot read pictures.

    Attributes:
        channels: of a region.
        regions: of a picture, at most.
        classes: of the class probabilities beside the features, for systems that learn from them.
    """

    kind: Literal["precomputed"] = "precomputed"
    channels: PositiveInt = 2048
    regions: PositiveInt = 36
    classes: PositiveInt | None = None


GridBackboneConfig = Annotated[
    ResNet50Config | EfficientNetLiteConfig | TransformersBackboneConfig,
    Field(discriminator="kind"),
]


class DetectorConfig(Part):
    """Boxes of an object detector, and what a backbone sees in each of them.

    Attributes:
        backbone: whose grid the boxes are cut from.
        regions: of a picture, at most; the whole picture is one of them.
    """

    kind: Literal["detector"] = "detector"
    backbone: GridBackboneConfig = ResNet50Config()
    regions: PositiveInt = 36


BackboneConfig = Annotated[
    ResNet50Config
    | EfficientNetLiteConfig
    | TransformersBackboneConfig
    | PrecomputedConfig
    | DetectorConfig,
    Field(discriminator="kind"),
]


# Pooling ----------------------------------------------------------------------------------------


class GlobalPoolingConfig(Part):
    """The backbone's own global feature."""

    kind: Literal["global"] = "global"


class MeanPoolingConfig(Part):
    """The mean of the cells of the grid, which stay at hand."""

    kind: Literal["mean"] = "mean"


class AttentionPoolingConfig(Part):
    """Learned queries over the cells of the grid.

    Attributes:
        heads: how many queries; each pools its share of the channels.
    """

    kind: Literal["attention"] = "attention"
    heads: PositiveInt = 8


class WeldonPoolingConfig(Part):
    """A 1 × 1 convolution, and the mean of each channel's highest and of its lowest cells.

    Attributes:
        channels: of the convolution; as many as the backbone has where it is absent.
        maxima: how many of the highest cells count.
        minima: how many of the lowest.
    """

    kind: Literal["weldon"] = "weldon"
    channels: PositiveInt | None = None
    maxima: PositiveInt = 15
    minima: NonNegativeInt = 15


PoolingConfig = Annotated[
    GlobalPoolingConfig | MeanPoolingConfig | AttentionPoolingConfig | WeldonPoolingConfig,
    Field(discriminator="kind"),
]


# Image encoders ---------------------------------------------------------------------------------


class PooledImageConfig(Part):
    """Backbone, pooling, projection.

    Attributes:
        backbone: of the picture.
        pooling: of its grid, or of its regions.
        hidden: width of a hidden layer in the projection.
        dropout: probability, before its last layer.
    """

    kind: Literal["pooled"] = "pooled"
    backbone: BackboneConfig
    pooling: PoolingConfig = GlobalPoolingConfig()
    hidden: PositiveInt | None = None
    dropout: Probability = 0.0


NonLocal = Literal["paper", "residual", "linear", "without-reduction", "none"]


class RegionImageConfig(Part):
    """Backbone, non-local block, projection of every region, mean.

    Attributes:
        backbone: of the regions.
        non_local: which form of the block, ``none`` for none.
        activation: a leaky rectifier behind the projection.
        normalise_regions: bring regions to unit length before their mean.
        keep_tokens: hand on the regions, for matching by regions.
        dropout: probability, on what the backbone gave.
    """

    kind: Literal["regions"] = "regions"
    backbone: BackboneConfig
    non_local: NonLocal = "none"
    activation: bool = True
    normalise_regions: bool = True
    keep_tokens: bool = False
    dropout: Probability = 0.0


class FramesImageConfig(Part):
    """Frames of a video: the backbone's vector of each, pooled over time, projected.

    Attributes:
        backbone: of a frame; with ``precomputed``, ``regions`` is how many frames a video has at
            most, and the key ``frames`` says nothing.
        frames: of a video, evenly spaced.
        layers: of a transformer over the frames; 0 takes their mean.
        heads: of its attention.
        width: of its layers; as wide as the backbone's vector where absent.
        hidden: width of a hidden layer in the projection.
        dropout: probability, in the layers and before the projection.
    """

    kind: Literal["frames"] = "frames"
    backbone: BackboneConfig
    frames: PositiveInt = 8
    layers: NonNegativeInt = 1
    heads: PositiveInt = 8
    width: PositiveInt | None = None
    hidden: PositiveInt | None = None
    dropout: Probability = 0.1


ImageConfig = Annotated[
    PooledImageConfig | RegionImageConfig | FramesImageConfig, Field(discriminator="kind")
]
