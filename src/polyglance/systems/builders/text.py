"""Text encoders from their configurations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from polyglance.data.text import NO_TEXTS, Texts
from polyglance.errors import ConfigError
from polyglance.heads import ProjectionHead
from polyglance.systems.builders.words import WordBuilder
from polyglance.systems.config import (
    FrozenTransformerTextConfig,
    GRUConfig,
    RecurrentTextConfig,
    SentenceTextConfig,
    SRUConfig,
    StreamTextConfig,
    TextConfig,
    TokenizerConfig,
    TransformerTextConfig,
)
from polyglance.systems.fingerprint import Tower

if TYPE_CHECKING:
    from polyglance.text.base import TextEncoder
    from polyglance.text.recurrent_unit import RecurrentUnit
    from polyglance.text.tokenizer import Tokenizer


def build_text_encoder(
    config: TextConfig,
    *,
    dimension: int,
    training_texts: Texts = NO_TEXTS,
    folder: Path | None = None,
) -> tuple[TextEncoder, dict[str, Tower]]:
    """A text encoder that ends in ``dimension``, and the towers that it stands on.

    Raises:
        ConfigError: words or a tokenizer are to be learned from captions, and there are none.
        ModelError: a transformers model, or a file of the checkpoint, is missing.
        WeightsError: a tower has not been fetched.
    """
    match config:
        case SentenceTextConfig():
            return _sentence_encoder(config, dimension)
        case RecurrentTextConfig():
            return _recurrent_encoder(config, dimension, training_texts, folder)
        case FrozenTransformerTextConfig():
            return _frozen_transformer_encoder(config, dimension, folder), {}
        case TransformerTextConfig():
            return _transformer_encoder(config, dimension, training_texts, folder), {}
        case StreamTextConfig():
            from polyglance.systems.builders.single_stream import build_stream_text_encoder

            return build_stream_text_encoder(config, dimension=dimension, folder=folder), {}
        case _:
            assert_never(config)


def _sentence_encoder(
    config: SentenceTextConfig, dimension: int
) -> tuple[TextEncoder, dict[str, Tower]]:
    from polyglance.text.sentence import SentenceTextEncoder
    from polyglance.text.sentence_encoder import SentenceEncoder

    encoder = SentenceEncoder.load()
    head = None
    if config.project:
        head = ProjectionHead(
            input_dimension=encoder.dimension,
            dimension=dimension,
            hidden=config.hidden,
            dropout=config.dropout,
        )
    elif dimension != encoder.dimension:
        raise ConfigError(
            f"text.project = false leaves texts in {encoder.dimension} dimensions; set "
            f"dimension = {encoder.dimension}"
        )
    tower = Tower("sentence-encoder", encoder.fingerprint)
    return SentenceTextEncoder(encoder=encoder, head=head), {"text.encoder": tower}


def _recurrent_encoder(
    config: RecurrentTextConfig,
    dimension: int,
    training_texts: Texts,
    folder: Path | None,
) -> tuple[TextEncoder, dict[str, Tower]]:
    from polyglance.text.recurrent import RecurrentTextEncoder
    from polyglance.text.segment import Segmenter

    segmenter = Segmenter(romanise=config.romanise)
    builder = WordBuilder(segmenter, training_texts, folder)
    words, head = builder.build(config.words), _head_behind(config.hidden_size, dimension)
    encoder = RecurrentTextEncoder(
        segmenter=segmenter,
        words=words,
        unit=_recurrent_unit(config, words.dimension, config.hidden_size or dimension),
        pooling=config.pooling,
        head=head,
        keep_tokens=config.keep_tokens,
        dropout=config.dropout,
        max_length=config.max_length,
    )
    return encoder, builder.towers


def _recurrent_unit(
    config: RecurrentTextConfig, input_size: int, hidden_size: int
) -> RecurrentUnit:
    from polyglance.text.gru import GRU
    from polyglance.text.sru import SRU

    match config.unit:
        case GRUConfig():
            return GRU(
                input_size=input_size,
                hidden_size=hidden_size,
                bidirectional=config.bidirectional,
            )
        case SRUConfig(layers=layers, dropout=dropout, rescale=rescale):
            return SRU(
                input_size=input_size,
                hidden_size=hidden_size,
                layers=layers,
                dropout=dropout,
                rescale=rescale,
            )
        case _:
            assert_never(config.unit)


def _frozen_transformer_encoder(
    config: FrozenTransformerTextConfig, dimension: int, folder: Path | None
) -> TextEncoder:
    from polyglance.text.frozen_transformer import FrozenTransformerTextEncoder
    from polyglance.text.tokenizer import FILE_NAME, Tokenizer
    from polyglance.text.transformer import load_architecture, load_transformer

    if folder is None:
        tokenizer, model = Tokenizer.from_pretrained(config.name), load_transformer(config.name)
    else:
        tokenizer, model = Tokenizer.load(folder / FILE_NAME), load_architecture(folder)
    return FrozenTransformerTextEncoder(
        model=model,
        tokenizer=tokenizer,
        hidden_size=config.hidden_size or dimension,
        bidirectional=config.bidirectional,
        head=_head_behind(config.hidden_size, dimension),
        dropout=config.dropout,
        max_length=config.max_length,
    )


def _head_behind(hidden_size: int | None, dimension: int) -> ProjectionHead | None:
    """A projection, where the state has a size of its own."""
    if hidden_size is None:
        return None
    return ProjectionHead(input_dimension=hidden_size, dimension=dimension)


def _transformer_encoder(
    config: TransformerTextConfig,
    dimension: int,
    training_texts: Texts,
    folder: Path | None,
) -> TextEncoder:
    from polyglance.text.tokenizer import FILE_NAME, Tokenizer
    from polyglance.text.transformer import (
        TransformerTextEncoder,
        load_architecture,
        load_transformer,
        new_distilbert,
    )

    if folder is not None:
        tokenizer = Tokenizer.load(folder / FILE_NAME)
    elif config.name is not None:
        tokenizer = Tokenizer.from_pretrained(config.name)
    else:
        tokenizer = trained_tokenizer(config.tokenizer, training_texts)
    if config.name is None:
        model = new_distilbert(
            vocabulary_size=len(tokenizer),
            pad_id=tokenizer.pad_id,
            layers=config.layers,
            width=config.width,
            heads=config.heads,
            max_length=config.max_length,
            dropout=config.dropout,
        )
    else:
        model = load_transformer(config.name) if folder is None else load_architecture(folder)
    head = ProjectionHead(input_dimension=model.config.hidden_size, dimension=dimension)
    return TransformerTextEncoder(
        model=model,
        tokenizer=tokenizer,
        head=head,
        pooling=config.pooling,
        max_length=config.max_length,
    )


def trained_tokenizer(
    config: TokenizerConfig, training_texts: Texts, *, mask: bool = False
) -> Tokenizer:
    """A tokenizer of the recipe's own texts; ``mask``: with a token that hides words.

    Raises:
        ConfigError: there are no texts.
    """
    from polyglance.text.tokenizer import Tokenizer

    if not any(training_texts.values()):
        raise ConfigError("this model trains a tokenizer of its own, and there are no captions")
    return Tokenizer.train(
        [text for texts in training_texts.values() for text in texts],
        vocabulary_size=config.vocabulary_size,
        min_frequency=config.min_frequency,
        mask=mask,
    )
