"""A text tower of sentence-transformers beside the image side of a published dual encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyglance.errors import ModelError
from polyglance.systems.builders.hub import (
    built_processor,
    described,
    described_preprocessing,
    load_whole,
    new_model,
    without_progress,
)
from polyglance.systems.config.hub import DenseConfig, HubDualEncoderConfig, SentenceTowerConfig
from polyglance.systems.hub_families import family_of
from polyglance.systems.hub_files import CONFIG, read_model_type, weight_files
from polyglance.systems.sentence_modules import read_sentence_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from polyglance.systems.hub_dual_encoder import HubDualEncoder
    from polyglance.text.sentence_tower import Dense, SentenceTower


def build_hub_pair(
    config: HubDualEncoderConfig, text: SentenceTowerConfig, folder: Path
) -> HubDualEncoder:
    """A checkpoint's pair with random weights, and its tokenizer.

    Raises:
        ModelError: a configuration is none of transformers', or the tokenizer is missing.
    """
    from polyglance.text.hub_tokenizer import load_hub_tokenizer
    from polyglance.text.transformer import as_text_encoder

    image = new_model(config.architecture, folder)
    transformer = as_text_encoder(new_model(text.architecture, folder), folder)
    tower = _tower(transformer, text, [_new_dense(each) for each in text.dense])
    return _assembled(config, text, image, tower, load_hub_tokenizer(folder))


def read_hub_pair(text_folder: Path, image_folder: Path) -> HubDualEncoder:
    """Both towers with their weights.

    Args:
        text_folder: of a text tower, as sentence-transformers saves it.
        image_folder: of a dual encoder of transformers, whose pictures it was taught.

    Raises:
        ModelError: a folder is none of these, is incomplete, or not in safetensors; or the towers
            end in spaces of different dimensions.
    """
    from polyglance.text.hub_tokenizer import load_hub_tokenizer
    from polyglance.text.transformer import load_transformer, text_positions
    from polyglance.vision.hub_processor import load_processor

    family_of(read_model_type(image_folder), str(image_folder / CONFIG))
    found = read_sentence_folder(text_folder)
    for folder in (image_folder, found.transformer):
        weight_files(folder)  # before all else, for the clearest message
    processor, tokenizer = load_processor(image_folder), load_hub_tokenizer(found.transformer)
    image = load_whole(image_folder)
    with without_progress():
        transformer = load_transformer(found.transformer)
    longest = min(text_positions(transformer), tokenizer.model_max_length)
    text = SentenceTowerConfig(
        architecture=described(transformer.config),
        pooling=found.pooling,
        dense=tuple(layer for layer, _ in found.dense),
        lowercase=found.lowercase,
    )
    config = HubDualEncoderConfig(
        architecture=described(image.config),
        text=text,
        preprocessing=described_preprocessing(processor),
        max_length=min(longest, found.max_length or longest),
    )
    tower = _tower(transformer, text, [_read_dense(*each) for each in found.dense])
    return _assembled(config, text, image, tower, tokenizer)


def _tower(
    transformer: PreTrainedModel, config: SentenceTowerConfig, dense: Sequence[Dense]
) -> SentenceTower:
    from polyglance.text.sentence_tower import SentenceTower

    return SentenceTower(transformer=transformer, pooling=config.pooling, dense=dense)


def _new_dense(config: DenseConfig) -> Dense:
    from polyglance.text.sentence_tower import Dense

    return Dense(**config.model_dump())


def _read_dense(config: DenseConfig, weights: Path) -> Dense:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    dense = _new_dense(config)
    try:
        dense.load_state_dict(load_file(weights))
    except FileNotFoundError:
        raise ModelError(f"{weights} is missing, and pickled weights are not read") from None
    except (SafetensorError, RuntimeError) as error:
        raise ModelError(f"{weights} cannot be loaded: {error}") from None
    return dense


def _assembled(
    config: HubDualEncoderConfig,
    text: SentenceTowerConfig,
    image: PreTrainedModel,
    tower: SentenceTower,
    tokenizer: PreTrainedTokenizerBase,
) -> HubDualEncoder:
    from polyglance.systems.hub_dual_encoder import HubDualEncoder
    from polyglance.systems.hub_pair import HubPair
    from polyglance.text.hub_tokenizer import HubTokenizer

    return HubDualEncoder(
        model=HubPair(image=image, text=tower),
        tokenizer=HubTokenizer(
            tokenizer,
            max_length=config.max_length,
            pads_fully=False,
            has_mask=True,
            cleaning="strip and lower" if text.lowercase else "strip",
        ),
        processor=built_processor(config.preprocessing),
        config=config,
    )
