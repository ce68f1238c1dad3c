"""A single-stream transformer and its tokenizer, from their configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from polyglance.data.text import NO_TEXTS, Texts
from polyglance.errors import ConfigError, ModelError
from polyglance.systems.builders.text import trained_tokenizer
from polyglance.systems.builders.words import WordBuilder
from polyglance.systems.config import (
    SingleStreamConfig,
    StreamTextConfig,
    TrunkConfig,
    WordTableConfig,
)
from polyglance.systems.fingerprint import Tower

if TYPE_CHECKING:
    from torch import Tensor

    from polyglance.single_stream.sentence_vector import SentenceVector
    from polyglance.single_stream.stream import SingleStream
    from polyglance.single_stream.text_encoder import StreamTextEncoder
    from polyglance.single_stream.tokens import PairTokenizer
    from polyglance.single_stream.trunk import Trunk
    from polyglance.text.tokenizer import Tokenizer


def build_single_stream(
    config: SingleStreamConfig,
    *,
    channels: int,
    training_texts: Texts = NO_TEXTS,
    folder: Path | None = None,
) -> tuple[SingleStream, PairTokenizer]:
    """The stream and what its texts are tokenized with.

    Args:
        config: what to build.
        channels: of a region's feature.
        training_texts: of all sources and languages, to train a tokenizer on where there is none.
        folder: a checkpoint that has the tokenizer and the architecture; weights are not read.

    Raises:
        ConfigError: a tokenizer is to be trained, and there are no texts; texts may be longer than
            the transformer has positions; or vectors to start from have another dimension.
        ModelError: a transformers model, or a file of the checkpoint, is missing or does not fit.
        WeightsError: the sentence encoder is asked for and has not been fetched.
    """
    from polyglance.single_stream.geometry import BoxEncoding
    from polyglance.single_stream.likeness import Likeness
    from polyglance.single_stream.stream import SingleStream
    from polyglance.single_stream.tokens import PairTokenizer
    from polyglance.single_stream.visual_embedding import VisualEmbedding
    from polyglance.single_stream.word_table import DEVIATION

    tokenizer = _tokenizer(config.trunk, training_texts, folder)
    trunk = _trunk(config.trunk, tokenizer, folder)
    pairs = PairTokenizer(
        tokenizer=tokenizer, languages=config.languages, max_length=config.trunk.max_length
    )
    scale = config.visual.scale
    if scale is None:
        scale = DEVIATION if config.trunk.name is None else 0.0
    visual = VisualEmbedding(
        channels=channels,
        width=trunk.width,
        geometry=BoxEncoding(frequencies=config.visual.frequencies),
        dropout=config.visual.dropout,
        scale=scale,
    )
    stream = SingleStream(
        trunk=trunk,
        visual=visual,
        languages=len(pairs.languages),
        likeness=Likeness(width=trunk.width) if config.likeness else None,
        sentence=_sentence_vector(config, trunk.width),
    )
    return stream, pairs


def towers_of(stream: SingleStream) -> dict[str, Tower]:
    """The pretrained parts of a stream that never learn, by their places in ``fei``."""
    if stream.sentence is None:
        return {}
    fingerprint = stream.sentence.encoder.fingerprint
    return {"stream.sentence.encoder": Tower("sentence-encoder", fingerprint)}


def build_stream_text_encoder(
    config: StreamTextConfig, *, dimension: int, folder: Path | None = None
) -> StreamTextEncoder:
    """A text encoder of a pretrained single-stream model's transformer.

    Args:
        config: names the model to start from.
        dimension: of the joint space.
        folder: a checkpoint of the encoder itself; weights are then not read.

    Raises:
        ConfigError: what is there is another system's checkpoint.
        ModelError: it is no checkpoint, or is damaged.
    """
    from polyglance.heads import ProjectionHead
    from polyglance.single_stream.text_encoder import StreamTextEncoder
    from polyglance.single_stream.tokens import PairTokenizer

    place = config.start if folder is None else folder
    stream = _stream_of(config.start) if folder is None else _stream_in(folder)
    tokenizer = _tokenizer(stream.trunk, NO_TEXTS, place)
    trunk = _trunk(stream.trunk, tokenizer, place)
    encoder = StreamTextEncoder(
        trunk=trunk,
        tokenizer=PairTokenizer(
            tokenizer=tokenizer, languages=stream.languages, max_length=stream.trunk.max_length
        ),
        head=ProjectionHead(input_dimension=trunk.width, dimension=dimension),
        pooling=config.pooling,
        described=stream.model_dump(mode="json"),
    )
    if folder is None:
        _fill_from(encoder, config.start)
    return encoder


def _stream_of(start: Path) -> SingleStreamConfig:
    """What the stream of a model of system ``fei`` was built from."""
    from polyglance.systems.checkpoint import read_config

    model = read_config(start)["model"]
    if model.get("system") != "fei":
        raise ConfigError(
            f'text.start: {start} is a model of system {model.get("system")!r}; a pretrained "fei" '
            "has the transformer to start from"
        )
    return SingleStreamConfig.model_validate(model["stream"])


def _stream_in(folder: Path) -> SingleStreamConfig:
    """What the stream of a checkpoint's text encoder was built from."""
    from polyglance.single_stream.text_encoder import FILE_NAME

    path = folder / FILE_NAME
    try:
        return SingleStreamConfig.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read ({error}); copy the checkpoint's folder whole"
        ) from None


def _fill_from(encoder: StreamTextEncoder, start: Path) -> None:
    """Take over the stream's weights; the head stays as it is."""
    from polyglance.systems.checkpoint import read_weights

    wanted = {name for name in encoder.state_dict() if name.startswith("stream.")}
    weights = {name: each for name, each in read_weights(start).items() if name in wanted}
    if lost := sorted(wanted - weights.keys()):
        raise ModelError(f"{start} lacks the weights {', '.join(lost[:3])}; copy it there anew")
    encoder.load_state_dict(weights, strict=False)


def _sentence_vector(config: SingleStreamConfig, width: int) -> SentenceVector | None:
    from polyglance.single_stream.sentence_vector import SentenceVector
    from polyglance.text.sentence_encoder import SentenceEncoder

    if not config.sentence:
        return None
    encoder = SentenceEncoder.load()
    return SentenceVector(encoder=encoder, width=width, dropout=config.sentence_dropout)


def _tokenizer(config: TrunkConfig, training_texts: Texts, folder: Path | None) -> Tokenizer:
    from polyglance.text.tokenizer import FILE_NAME, Tokenizer

    if folder is not None:
        return Tokenizer.load(folder / FILE_NAME)
    if config.name is not None:
        return Tokenizer.from_pretrained(config.name)
    return trained_tokenizer(config.tokenizer, training_texts, mask=True)


def _trunk(config: TrunkConfig, tokenizer: Tokenizer, folder: Path | None) -> Trunk:
    from polyglance.single_stream.trunk import load_trunk, new_trunk, trunk_of
    from polyglance.single_stream.word_table import new_word_table
    from polyglance.text.transformer import load_architecture

    if config.name is not None:
        # What a checkpoint describes is built with random weights, and filled by its reader.
        trunk = (
            load_trunk(config.name)
            if folder is None
            else trunk_of(load_architecture(folder), config.name)
        )
        return _fitting(trunk, config, tokenizer)
    vectors = _start(config.words, tokenizer) if folder is None else None
    words = new_word_table(
        vocabulary_size=len(tokenizer),
        width=config.width,
        dimension=config.words.dimension,
        vectors=vectors,
        frozen=config.words.frozen,
    )
    return new_trunk(
        words=words,
        layers=config.layers,
        heads=config.heads,
        max_length=config.max_length,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
    )


def _fitting(trunk: Trunk, config: TrunkConfig, tokenizer: Tokenizer) -> Trunk:
    """A pretrained trunk, where texts and tokens fit it."""
    if config.max_length > trunk.max_length:
        raise ConfigError(
            f"max_length = {config.max_length}, and {config.name!r} reads texts of at most "
            f"{trunk.max_length} tokens beside a picture; lower it"
        )
    if len(tokenizer) > len(trunk.words):
        raise ModelError(
            f"the tokenizer at {config.name!r} has {len(tokenizer)} tokens and the model "
            f"{len(trunk.words)}: they do not belong together"
        )
    return trunk


def _start(config: WordTableConfig, tokenizer: Tokenizer) -> Tensor | None:
    """(vocabulary, dimension) vectors of what the tokens say; zeros where nobody knows them."""
    import torch

    from polyglance.text.segment import Segmenter

    if config.start is None:
        return None
    source = WordBuilder(Segmenter(), training_texts=NO_TEXTS, folder=None).build(config.start)
    if source.dimension != config.dimension:
        raise ConfigError(
            f"words.dimension = {config.dimension}, but the vectors to start from have "
            f"{source.dimension}; write that"
        )
    texts = tokenizer.texts()
    said = [number for number, text in enumerate(texts) if text]
    words = [texts[number] for number in said]
    vectors = torch.zeros(len(texts), source.dimension)
    with torch.no_grad():
        vectors[said] = source(source.prepare(words, ["und"] * len(words))).float()
    return vectors
