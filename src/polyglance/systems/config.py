"""The configuration of a system: numbers and names that a builder turns into blocks.

Read from a recipe's ``[model]`` table, written whole into every checkpoint. Unknown keys are
errors. No configuration object enters a module.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt


class Part(BaseModel):
    """Base of every configuration: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Probability = Annotated[float, Field(ge=0, lt=1)]


# Image backbones ------------------------------------------------------------------------------


class ResNet50Config(Part):
    """The ResNet-50 pretrained on ImageNet that ``polyglance download resnet50`` fetches."""

    kind: Literal["resnet50"] = "resnet50"
    size: PositiveInt = 224


class EfficientNetLiteConfig(Part):
    """An EfficientNet-Lite pretrained on ImageNet."""

    kind: Literal["efficientnet-lite"] = "efficientnet-lite"
    variant: Literal[0, 1, 2] = 0


class TransformersBackboneConfig(Part):
    """Any transformers vision model: a local folder or a hub name, or a configuration alone."""

    kind: Literal["transformers"] = "transformers"
    name: str | None = None
    architecture: dict[str, object] | None = None
    size: PositiveInt | None = None


BackboneConfig = Annotated[
    ResNet50Config | EfficientNetLiteConfig | TransformersBackboneConfig,
    Field(discriminator="kind"),
]


class GlobalPoolingConfig(Part):
    """The backbone's own global feature."""

    kind: Literal["global"] = "global"


class MeanPoolingConfig(Part):
    """The mean of the cells of the grid, which stay at hand."""

    kind: Literal["mean"] = "mean"


class AttentionPoolingConfig(Part):
    """Learned queries over the cells of the grid."""

    kind: Literal["attention"] = "attention"
    heads: PositiveInt = 8


PoolingConfig = Annotated[
    GlobalPoolingConfig | MeanPoolingConfig | AttentionPoolingConfig, Field(discriminator="kind")
]


class ImageConfig(Part):
    """Backbone, pooling, projection."""

    backbone: BackboneConfig
    pooling: PoolingConfig = GlobalPoolingConfig()
    hidden: PositiveInt | None = None
    dropout: Probability = 0.0


# Text encoders --------------------------------------------------------------------------------


class SentenceTextConfig(Part):
    """The frozen multilingual sentence encoder and a projection."""

    kind: Literal["sentence"] = "sentence"
    hidden: PositiveInt | None = None
    dropout: Probability = 0.0


class TokenizerConfig(Part):
    """A tokenizer trained on the recipe's own captions."""

    kind: Literal["word", "bpe"] = "word"
    vocabulary_size: PositiveInt = 16_000
    min_frequency: PositiveInt = 2


class RecurrentTextConfig(Part):
    """Word vectors and a packed (Bi)GRU."""

    kind: Literal["recurrent"] = "recurrent"
    tokenizer: TokenizerConfig = TokenizerConfig()
    word_dimension: PositiveInt = 300
    hidden_size: PositiveInt = 1024
    bidirectional: bool = True
    dropout: Probability = 0.0


class TransformerTextConfig(Part):
    """Any transformers text model by folder or hub name, or one of this size from scratch."""

    kind: Literal["transformer"] = "transformer"
    name: str | None = None
    tokenizer: TokenizerConfig = TokenizerConfig(kind="bpe")
    layers: PositiveInt = 6
    width: PositiveInt = 768
    heads: PositiveInt = 12
    max_length: PositiveInt = 64
    pooling: Literal["first", "mean"] = "first"
    dropout: Probability = 0.1


TextConfig = Annotated[
    SentenceTextConfig | RecurrentTextConfig | TransformerTextConfig,
    Field(discriminator="kind"),
]


# Losses: `kind` is the name in losses/catalogue.py, the rest the constructor's arguments --------

Reduction = Literal["sum", "mean"]


class SumOfHingesConfig(Part):
    """Every negative within the margin."""

    kind: Literal["sum_of_hinges"] = "sum_of_hinges"
    margin: PositiveFloat = 0.2
    reduction: Reduction = "sum"


class MaxOfHingesConfig(Part):
    """The hardest negative of the batch."""

    kind: Literal["max_of_hinges"] = "max_of_hinges"
    margin: PositiveFloat = 0.2
    reduction: Reduction = "sum"


class AnnealedHingesConfig(Part):
    """From the sum to the maximum of hinges, λ = 1 − η^ε."""

    kind: Literal["annealed_hinges"] = "annealed_hinges"
    margin: PositiveFloat = 0.2
    eta: Annotated[float, Field(gt=0, lt=1)] = 0.991
    reduction: Reduction = "sum"


class SimCLRConfig(Part):
    """Paper 5's equation 4: the positive is not in the denominator."""

    kind: Literal["simclr"] = "simclr"
    temperature: PositiveFloat = 0.07
    reduction: Reduction = "mean"


class InfoNCEConfig(Part):
    """The contrastive loss of CLIP, with a learned scale unless it is fixed."""

    kind: Literal["info_nce"] = "info_nce"
    scale: PositiveFloat = 1 / 0.07
    learnable: bool = True
    maximum_scale: PositiveFloat = 100.0
    reduction: Reduction = "mean"


class SigLIPConfig(Part):
    """A logistic loss over every pair."""

    kind: Literal["siglip"] = "siglip"
    scale: PositiveFloat = 10.0
    bias: float = -10.0
    reduction: Reduction = "mean"


class BarlowTwinsConfig(Part):
    """Cross-correlation of the two modalities close to the identity."""

    kind: Literal["barlow_twins"] = "barlow_twins"
    redundancy_weight: NonNegativeFloat = 0.005


LossConfig = Annotated[
    SumOfHingesConfig
    | MaxOfHingesConfig
    | AnnealedHingesConfig
    | SimCLRConfig
    | InfoNCEConfig
    | SigLIPConfig
    | BarlowTwinsConfig,
    Field(discriminator="kind"),
]


# Systems --------------------------------------------------------------------------------------


class DualEncoderConfig(Part):
    """Any image encoder beside any text encoder, compared by cosine."""

    system: Literal["dual-encoder"] = "dual-encoder"
    dimension: PositiveInt = 512
    image: ImageConfig
    text: TextConfig
    loss: LossConfig = InfoNCEConfig()


class SmoothConfig(Part):
    """Paper 5: ResNet, DistilBERT and a projection each, with any of its losses."""

    system: Literal["smooth"] = "smooth"
    dimension: PositiveInt = 128
    backbone: BackboneConfig = ResNet50Config()
    text: TransformerTextConfig = TransformerTextConfig()
    loss: LossConfig = SimCLRConfig()


class MiniConfig(Part):
    """The built-in model: what its heads measure."""

    system: Literal["mini"] = "mini"
    backbone: ResNet50Config = ResNet50Config()
    buckets: PositiveInt = 32_768
    ngram_width: PositiveInt = 96
    text_hidden: PositiveInt = 512
    components: PositiveInt = 512
    heads: PositiveInt = 8
    branches: PositiveInt = 2
    branch_dimension: PositiveInt = 256
    image_hidden: PositiveInt = 768
    dropout: Probability = 0.0
    loss: LossConfig = InfoNCEConfig(scale=22.0, learnable=False)
