"""From configuration to blocks: the one place where numbers become modules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from polyglance.errors import ConfigError
from polyglance.heads import ProjectionHead
from polyglance.losses.base import EmbeddingLoss, ScoreLoss
from polyglance.systems.base import System
from polyglance.systems.config import (
    AttentionPoolingConfig,
    BackboneConfig,
    DualEncoderConfig,
    EfficientNetLiteConfig,
    GlobalPoolingConfig,
    ImageConfig,
    LossConfig,
    MiniConfig,
    RecurrentTextConfig,
    ResNet50Config,
    SentenceTextConfig,
    SmoothConfig,
    TextConfig,
    TokenizerConfig,
    TransformersBackboneConfig,
    TransformerTextConfig,
)
from polyglance.systems.fingerprint import Tower, state_fingerprint
from polyglance.text.base import TextEncoder
from polyglance.text.tokenizer import Tokenizer
from polyglance.vision.base import Backbone
from polyglance.vision.image_encoder import ImageEncoder

if TYPE_CHECKING:
    from polyglance.systems.mini import MiniImageHeads
    from polyglance.text.mini_heads import MiniTextHeads

SystemConfig = Annotated[
    DualEncoderConfig | SmoothConfig | MiniConfig, Field(discriminator="system")
]


def build_system(
    config: DualEncoderConfig | SmoothConfig | MiniConfig,
    *,
    training_texts: Sequence[str] = (),
    folder: Path | None = None,
) -> System:
    """Build a system with fresh heads.

    Args:
        config: what to build.
        training_texts: captions to train a tokenizer on, where the configuration asks for one.
        folder: a checkpoint that has the tokenizer and the architectures; weights are not read.

    Raises:
        ConfigError: a tokenizer is asked for, and there is nothing to train it on.
        WeightsError: a pretrained tower has not been fetched.
        ModelError: a transformers model is not where the configuration says.
    """
    from polyglance.systems.smooth import as_dual_encoder

    if isinstance(config, MiniConfig):
        return _mini(config)
    plain = as_dual_encoder(config) if isinstance(config, SmoothConfig) else config
    return _dual_encoder(plain, config, training_texts, folder)


def _dual_encoder(
    plain: DualEncoderConfig,
    config: DualEncoderConfig | SmoothConfig,
    training_texts: Sequence[str],
    folder: Path | None,
) -> System:
    from polyglance.matching.cosine import CosineMatching
    from polyglance.systems.dual_encoder import DualEncoder

    backbone, towers = build_backbone(plain.image.backbone, folder=folder)
    text, text_towers = build_text_encoder(
        plain.text, dimension=plain.dimension, training_texts=training_texts, folder=folder
    )
    return DualEncoder(
        image=build_image_encoder(plain.image, backbone=backbone, dimension=plain.dimension),
        text=text,
        matching=CosineMatching(),
        loss=build_loss(plain.loss),
        config=config,
        towers=towers | text_towers,
    )


def _mini(config: MiniConfig) -> System:
    from polyglance.losses.base import ScoreLoss
    from polyglance.systems.mini import Mini
    from polyglance.text.sentence_encoder import SentenceEncoder

    backbone, towers = build_backbone(config.backbone)
    encoder = SentenceEncoder.load()
    image, text = build_mini_heads(config, channels=backbone.channels)
    loss = build_loss(config.loss)
    if not isinstance(loss, ScoreLoss):
        raise ConfigError(f"mini is trained with a loss over scores, not {config.loss.kind!r}")
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


def build_backbone(
    config: BackboneConfig, *, folder: Path | None = None
) -> tuple[Backbone, dict[str, Tower]]:
    """A backbone, and what a checkpoint may say of it instead of storing it.

    A transformers model is no tower: its weights go into the checkpoint, so that the checkpoint
    does not depend on a folder elsewhere.
    """
    from polyglance.vision.preprocessing import Preprocessing
    from polyglance.vision.pretrained import load_tower

    match config:
        case ResNet50Config():
            name = "resnet50"
            backbone = load_tower(name, preprocessing=Preprocessing(size=config.size))
        case EfficientNetLiteConfig():
            name = f"efficientnet-lite{config.variant}"
            backbone = load_tower(name)
        case _:
            return _transformers_backbone(config, folder), {}
    return backbone, {"image.backbone": Tower(name, state_fingerprint(backbone))}


def build_image_encoder(config: ImageConfig, *, backbone: Backbone, dimension: int) -> ImageEncoder:
    """Pooling and projection over a backbone."""
    from polyglance.vision.pooling import AttentionPooling, GridPooling, MeanPooling

    pooling: GridPooling | None
    match config.pooling:
        case GlobalPoolingConfig():
            pooling = None
        case AttentionPoolingConfig(heads=heads):
            pooling = AttentionPooling(channels=backbone.channels, heads=heads)
        case _:
            pooling = MeanPooling()
    head = ProjectionHead(
        input_dimension=backbone.channels,
        dimension=dimension,
        hidden=config.hidden,
        dropout=config.dropout,
    )
    return ImageEncoder(backbone=backbone, pooling=pooling, head=head)


def build_text_encoder(
    config: TextConfig,
    *,
    dimension: int,
    training_texts: Sequence[str] = (),
    folder: Path | None = None,
) -> tuple[TextEncoder, dict[str, Tower]]:
    """A text encoder that ends in ``dimension``, and the towers that it stands on."""
    match config:
        case SentenceTextConfig():
            return _sentence_encoder(config, dimension)
        case RecurrentTextConfig():
            tokenizer = _tokenizer(config.tokenizer, training_texts, folder)
            return _recurrent_encoder(config, tokenizer, dimension), {}
        case _:
            return _transformer_encoder(config, dimension, training_texts, folder), {}


def build_loss(config: LossConfig) -> ScoreLoss | EmbeddingLoss:
    """The loss that the catalogue has under the configuration's kind."""
    from polyglance.losses.catalogue import LOSSES

    return LOSSES[config.kind](**config.model_dump(exclude={"kind"}))


def _transformers_backbone(config: TransformersBackboneConfig, folder: Path | None) -> Backbone:
    from polyglance.errors import ConfigError
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


def _sentence_encoder(
    config: SentenceTextConfig, dimension: int
) -> tuple[TextEncoder, dict[str, Tower]]:
    from polyglance.text.sentence import SentenceTextEncoder
    from polyglance.text.sentence_encoder import SentenceEncoder

    encoder = SentenceEncoder.load()
    head = ProjectionHead(
        input_dimension=encoder.dimension,
        dimension=dimension,
        hidden=config.hidden,
        dropout=config.dropout,
    )
    tower = Tower("sentence-encoder", encoder.fingerprint)
    return SentenceTextEncoder(encoder=encoder, head=head), {"text.encoder": tower}


def _recurrent_encoder(
    config: RecurrentTextConfig, tokenizer: Tokenizer, dimension: int
) -> TextEncoder:
    from polyglance.text.recurrent import RecurrentTextEncoder
    from polyglance.text.word_vectors import WordVectors

    return RecurrentTextEncoder(
        tokenizer=tokenizer,
        words=WordVectors.uniform(vocabulary_size=len(tokenizer), dimension=config.word_dimension),
        hidden_size=config.hidden_size,
        bidirectional=config.bidirectional,
        head=ProjectionHead(input_dimension=config.hidden_size, dimension=dimension),
        dropout=config.dropout,
    )


def _transformer_encoder(
    config: TransformerTextConfig,
    dimension: int,
    training_texts: Sequence[str],
    folder: Path | None,
) -> TextEncoder:
    from polyglance.text.transformer import (
        TransformerTextEncoder,
        load_architecture,
        load_transformer,
        new_distilbert,
    )

    if config.name is not None and folder is None:
        tokenizer = Tokenizer.from_pretrained(config.name)
        model = load_transformer(config.name)
    elif config.name is not None and folder is not None:
        tokenizer = _tokenizer(config.tokenizer, (), folder)
        model = load_architecture(folder)
    else:
        tokenizer = _tokenizer(config.tokenizer, training_texts, folder)
        model = new_distilbert(
            vocabulary_size=len(tokenizer),
            pad_id=tokenizer.pad_id,
            layers=config.layers,
            width=config.width,
            heads=config.heads,
            max_length=config.max_length,
            dropout=config.dropout,
        )
    head = ProjectionHead(input_dimension=model.config.hidden_size, dimension=dimension)
    return TransformerTextEncoder(
        model=model,
        tokenizer=tokenizer,
        head=head,
        pooling=config.pooling,
        max_length=config.max_length,
    )


def _tokenizer(
    config: TokenizerConfig, training_texts: Sequence[str], folder: Path | None
) -> Tokenizer:
    from polyglance.errors import ConfigError
    from polyglance.text.tokenizer import FILE_NAME

    if folder is not None:
        return Tokenizer.load(folder / FILE_NAME)
    if not training_texts:
        raise ConfigError("this model trains a tokenizer of its own, and there are no captions")
    return Tokenizer.train(
        training_texts,
        kind=config.kind,
        vocabulary_size=config.vocabulary_size,
        min_frequency=config.min_frequency,
    )
