"""A single-stream transformer and its tokenizer, from their configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyglance.errors import ConfigError, ModelError
from polyglance.systems.builders.text import trained_tokenizer
from polyglance.systems.builders.words import WordBuilder
from polyglance.systems.config import SingleStreamConfig, TrunkConfig, WordTableConfig

if TYPE_CHECKING:
    from torch import Tensor

    from polyglance.single_stream.stream import SingleStream
    from polyglance.single_stream.tokens import PairTokenizer
    from polyglance.single_stream.trunk import Trunk
    from polyglance.text.tokenizer import Tokenizer


def build_single_stream(
    config: SingleStreamConfig,
    *,
    channels: int,
    training_texts: Sequence[str] = (),
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
        WeightsError: the sentence encoder whose vectors to start from has not been fetched.
    """
    from polyglance.single_stream.geometry import BoxEncoding
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
    return SingleStream(trunk=trunk, visual=visual, languages=len(pairs.languages)), pairs


def _tokenizer(
    config: TrunkConfig, training_texts: Sequence[str], folder: Path | None
) -> Tokenizer:
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
    source = WordBuilder(Segmenter(), training_texts=(), folder=None).build(config.start)
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
