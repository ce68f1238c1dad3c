"""Configuration of systems: which parts, and the numbers that a paper gives them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from polyglance.systems.config.hub import HubDualEncoderConfig
from polyglance.systems.config.image import (
    BackboneConfig,
    GlobalPoolingConfig,
    ImageConfig,
    NonLocal,
    PoolingConfig,
    ResNet50Config,
    WeldonPoolingConfig,
)
from polyglance.systems.config.loss import (
    AnnealedHingesConfig,
    InfoNCEConfig,
    LossConfig,
    MaxOfHingesConfig,
    SimCLRConfig,
)
from polyglance.systems.config.matching import (
    CosineConfig,
    MatchingConfig,
    OrderConfig,
    StackedCrossAttentionConfig,
)
from polyglance.systems.config.part import Part, Probability
from polyglance.systems.config.single_stream import SingleStreamConfig
from polyglance.systems.config.text import (
    CharacterWordsConfig,
    RecurrentTextConfig,
    SRUConfig,
    TextConfig,
    TransformerTextConfig,
)
from polyglance.systems.config.translated import CL2CMConfig, DistilledConfig, NRCCRConfig


class DualEncoderConfig(Part):
    """Any image encoder beside any text encoder.

    Attributes:
        dimension: of the joint space.
        image: encoder of pictures.
        text: encoder of texts.
        matching: how the two are compared.
        loss: over the scores.
    """

    system: Literal["dual-encoder"] = "dual-encoder"
    dimension: PositiveInt = 512
    image: ImageConfig
    text: TextConfig
    matching: MatchingConfig = CosineConfig()
    loss: LossConfig = InfoNCEConfig()


class SmoothConfig(Part):
    """Paper 5: ResNet, DistilBERT and a projection each, with any of its losses.

    Attributes:
        dimension: of the joint space.
        backbone: of the picture, whose own vector is projected.
        text: the paper starts from a pretrained DistilBERT.
        loss: over the scores.
    """

    system: Literal["smooth"] = "smooth"
    dimension: PositiveInt = 128
    backbone: BackboneConfig = ResNet50Config()
    text: TransformerTextConfig = TransformerTextConfig()
    loss: LossConfig = SimCLRConfig()


class VSEppConfig(Part):
    """VSE++: one vector of a picture, the last state of a GRU, the hardest negative.

    Attributes:
        dimension: of the joint space and of the GRU's state.
        backbone: of the picture.
        pooling: of its grid; the backbone's own vector in the paper.
        text: the paper's reads learned words in one direction.
        matching: cosine, or the order of its variant.
        loss: over the scores.
        text_loss: of parallel texts, which the paper has none of; ``None``: it learns from none.
    """

    system: Literal["vsepp"] = "vsepp"
    dimension: PositiveInt = 1024
    backbone: BackboneConfig = ResNet50Config()
    pooling: PoolingConfig = GlobalPoolingConfig()
    text: RecurrentTextConfig = RecurrentTextConfig(bidirectional=False)
    matching: Annotated[CosineConfig | OrderConfig, Field(discriminator="kind")] = CosineConfig()
    loss: LossConfig = MaxOfHingesConfig()
    text_loss: LossConfig | None = None


class SCANConfig(Part):
    """SCAN: every word looks for its regions, or every region for its words.

    Attributes:
        dimension: of the joint space and of the GRU's states.
        backbone: of the regions.
        text: the paper's reads learned words in both directions.
        matching: who asks, and how answers are pooled.
        image_dropout: probability, on the regions.
        loss: over the scores.
        text_loss: of parallel texts, which the paper has none of; ``None``: it learns from none.
    """

    system: Literal["scan"] = "scan"
    dimension: PositiveInt = 1024
    backbone: BackboneConfig = ResNet50Config()
    text: RecurrentTextConfig = RecurrentTextConfig()
    matching: StackedCrossAttentionConfig = StackedCrossAttentionConfig()
    image_dropout: Probability = 0.0
    loss: LossConfig = MaxOfHingesConfig()
    text_loss: LossConfig | None = None


class CLMRConfig(Part):
    """Paper 2: CLMR, and with words made of characters LIWE.

    Behind the projection of regions is a leaky rectifier, as in the authors' code and not in the
    paper.

    Attributes:
        dimension: of the joint space and of the GRU's states.
        backbone: of the regions.
        non_local: the block over the regions; Table 6 compares its forms.
        normalise_regions: bring regions to unit length before their mean, as the authors' code does
            and the paper does not say.
        text: words and a BiGRU; ``characters`` is LIWE, ``learned`` CLMR.
        image_dropout: probability, on the regions.
        loss: of images and texts.
        text_loss: of parallel texts.
    """

    system: Literal["clmr"] = "clmr"
    dimension: PositiveInt = 1024
    backbone: BackboneConfig = ResNet50Config()
    non_local: NonLocal = "paper"
    normalise_regions: bool = False
    text: TextConfig = RecurrentTextConfig(words=CharacterWordsConfig())
    image_dropout: Probability = 0.0
    loss: LossConfig = AnnealedHingesConfig()
    text_loss: LossConfig = AnnealedHingesConfig(eta=0.91)


class PortazConfig(Part):
    """Paper 3: WELDON pooling, and simple recurrent units over aligned word vectors.

    Attributes:
        dimension: of the joint space and of the units' states.
        backbone: of the picture's grid.
        pooling: of the grid.
        text: the paper's words are pretrained vectors.
        image_dropout: probability, before the last layer.
        loss: over the scores.
    """

    system: Literal["portaz"] = "portaz"
    dimension: PositiveInt = 2400
    backbone: BackboneConfig = ResNet50Config()
    pooling: PoolingConfig = WeldonPoolingConfig(channels=2400)
    text: RecurrentTextConfig = RecurrentTextConfig(
        unit=SRUConfig(layers=4, dropout=0.25), bidirectional=False
    )
    image_dropout: Probability = 0.5
    loss: LossConfig = MaxOfHingesConfig()


class TasksConfig(Part):
    """The weight of each pretraining task; 0 leaves it out.

    Attributes:
        mlm: masked words of captions, with the picture in sight.
        text_mlm: masked words of plain text.
        tlm: masked words of a sentence and its translation.
        mrc: classes of masked regions.
        cmtr: captions recovered from regions.
        cltr: sentences recovered from their translations.
    """

    mlm: NonNegativeFloat = 1.0
    text_mlm: NonNegativeFloat = 1.0
    tlm: NonNegativeFloat = 1.0
    mrc: NonNegativeFloat = 1.0
    cmtr: NonNegativeFloat = 1.0
    cltr: NonNegativeFloat = 1.0


class FeiConfig(Part):
    """Paper 1: a transformer over a caption and the regions of a picture together.

    Attributes:
        objective: what a training step is about; a checkpoint of ``alignment`` goes on with
            ``pretraining``, and one of either with ``retrieval``.
        backbone: of the regions.
        cells_per_side: average a grid to so many rows and columns; ``None`` leaves it as it is.
        stream: the transformer.
        tasks: of pretraining.
        loss: of retrieval.
        mined: let alignment choose so many hard negatives for each picture and each text, and
            compare only these with a pass; ``None``, as in the paper: all pairs of the batch.
        alignment: loss of that objective, and of retrieval with ``mined``.
        alignment_weight: of that loss beside the tasks of pretraining.
    """

    system: Literal["fei"] = "fei"
    objective: Literal["alignment", "pretraining", "retrieval"] = "retrieval"
    backbone: BackboneConfig = ResNet50Config()
    cells_per_side: PositiveInt | None = None
    stream: SingleStreamConfig = SingleStreamConfig()
    tasks: TasksConfig = TasksConfig()
    loss: LossConfig = MaxOfHingesConfig(reduction="mean")
    mined: PositiveInt | None = None
    alignment: InfoNCEConfig = InfoNCEConfig()
    alignment_weight: NonNegativeFloat = 0.0


class MiniConfig(Part):
    """The built-in model: what its heads measure.

    Attributes:
        axes: how many of an embedding are kept; by default all.
    """

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
    axes: PositiveInt | None = None
    dropout: Probability = 0.0
    loss: LossConfig = InfoNCEConfig(scale=22.0, learnable=False)


SystemConfig = Annotated[
    DualEncoderConfig
    | SmoothConfig
    | VSEppConfig
    | SCANConfig
    | CLMRConfig
    | PortazConfig
    | FeiConfig
    | NRCCRConfig
    | CL2CMConfig
    | DistilledConfig
    | MiniConfig
    | HubDualEncoderConfig,
    Field(discriminator="system"),
]
