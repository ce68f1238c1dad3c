"""Published dual encoders, from a checkpoint's configuration or from a folder of transformers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.errors import ConfigError, ModelError
from polyglance.systems.config.hub import ExactPreprocessingConfig, HubDualEncoderConfig
from polyglance.systems.hub_families import Family, family_of, text_length
from polyglance.systems.hub_files import read_model_type, weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from polyglance.systems.hub_dual_encoder import HubDualEncoder
    from polyglance.vision.hub_processor import ExactProcessor


def build_hub_dual_encoder(config: HubDualEncoderConfig, folder: Path | None) -> HubDualEncoder:
    """A checkpoint's model with random weights, and its tokenizer.

    Args:
        config: of the checkpoint.
        folder: of the checkpoint; weights are not read.

    Raises:
        ConfigError: there is no folder: a recipe asks for it.
        ModelError: the configuration is none of transformers', or the tokenizer is missing.
    """
    from polyglance.systems.builders.hub_pair import build_hub_pair
    from polyglance.text.hub_tokenizer import load_hub_tokenizer

    if folder is None:
        raise ConfigError(
            "model.system: 'hub-dual-encoder' is what checkpoints of published models say; it "
            "cannot be trained from a recipe"
        )
    if config.text is not None:
        return build_hub_pair(config, config.text, folder)
    family = family_of(config.architecture.get("model_type"), str(folder))
    model = new_model(config.architecture, folder)
    return _assembled(config, family, model, load_hub_tokenizer(folder))


def read_hub_dual_encoder(folder: Path) -> HubDualEncoder:
    """A model as ``save_pretrained`` leaves it, with its weights.

    Raises:
        ModelError: it is of no supported type, incomplete, or not in safetensors.
    """
    from polyglance.text.hub_tokenizer import load_hub_tokenizer
    from polyglance.vision.hub_processor import load_processor

    family = family_of(read_model_type(folder), str(folder / "config.json"))
    weight_files(folder)  # before all else, for the clearest message
    processor, tokenizer = load_processor(folder), load_hub_tokenizer(folder)
    model = load_whole(folder)
    config = HubDualEncoderConfig(
        architecture=described(model.config),
        preprocessing=described_preprocessing(processor),
        max_length=text_length(model.config, family, tokenizer.model_max_length),
    )
    return _assembled(config, family, model, tokenizer)


def new_model(architecture: dict[str, Any], folder: Path) -> PreTrainedModel:
    """A model with random weights.

    Args:
        architecture: as :func:`described` gives it.
        folder: that it was read in, for messages.

    Raises:
        ModelError: the description is none of a model that this transformers knows.
    """
    from transformers import AutoConfig, AutoModel

    try:
        config = AutoConfig.for_model(**architecture)
        model: PreTrainedModel = AutoModel.from_config(  # type: ignore[no-untyped-call]
            config, dtype="float32"
        )
    except (TypeError, ValueError) as error:
        raise ModelError(f"{folder}: not a configuration of transformers: {error}") from None
    return model


def load_whole(folder: Path) -> PreTrainedModel:
    """A model with all of its weights, in float32, from safetensors alone.

    Args:
        folder: as ``save_pretrained`` leaves it.

    Raises:
        ModelError: weights are missing, pickled or damaged.
    """
    from safetensors import SafetensorError
    from transformers import AutoModel

    try:
        with without_progress():
            model, report = AutoModel.from_pretrained(
                str(folder),
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype="float32",
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{folder}: its weights cannot be loaded from safetensors ({reason}); fetch "
            "model.safetensors, or save the model there anew with save_pretrained"
        ) from None
    if lost := sorted(report["missing_keys"]):
        raise ModelError(f"{folder} lacks the weights {', '.join(lost[:3])} of its architecture")
    loaded: PreTrainedModel = model
    return loaded


@contextmanager
def without_progress() -> Iterator[None]:
    """Without the library's bar, which would stand before the hits of every search."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def described(config: PreTrainedConfig) -> dict[str, Any]:
    """A configuration of transformers as JSON, without the place that it was loaded from."""
    content: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    content.pop("_name_or_path", None)
    return content


def described_preprocessing(processor: ExactProcessor) -> ExactPreprocessingConfig:
    """An image processor as a checkpoint describes it."""
    geometry = processor.preprocessing
    return ExactPreprocessingConfig(
        size=geometry.size,
        fit=geometry.fit,
        crop_fraction=geometry.crop_fraction,
        shorter=geometry.shorter,
        resample=geometry.resample,
        mean=processor.colours.mean,
        std=processor.colours.std,
    )


def built_processor(config: ExactPreprocessingConfig) -> ExactProcessor:
    """What :func:`described_preprocessing` described."""
    from polyglance.vision.exact_preprocessing import ExactPreprocessing
    from polyglance.vision.hub_processor import ExactProcessor
    from polyglance.vision.processor_config import Colours

    geometry = ExactPreprocessing(**config.model_dump(exclude={"mean", "std"}))
    return ExactProcessor(geometry, Colours(mean=config.mean, std=config.std))


def _assembled(
    config: HubDualEncoderConfig,
    family: Family,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
) -> HubDualEncoder:
    from polyglance.systems.hub_dual_encoder import HubDualEncoder
    from polyglance.text.hub_tokenizer import HubTokenizer

    _check_tokenizer(model.config.text_config, family, tokenizer)
    return HubDualEncoder(
        model=model,
        tokenizer=HubTokenizer(
            tokenizer,
            max_length=config.max_length,
            pads_fully=family.pads_fully,
            has_mask=family.has_mask,
            cleaning="lower" if family.lowers else "nothing",
        ),
        processor=built_processor(config.preprocessing),
        config=config,
    )


def _check_tokenizer(
    text: PreTrainedConfig, family: Family, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Refuse a tokenizer that is not the model's; a wrong one gives no error later, only noise."""
    if len(tokenizer) > text.vocab_size:
        raise ModelError(
            f"the tokenizer has {len(tokenizer)} tokens and the model {text.vocab_size}: they do "
            "not belong together"
        )
    # Configurations of before transformers 4.31 say 2 whatever the end token is.
    wanted = tokenizer.eos_token_id if text.eos_token_id == 2 else text.eos_token_id
    if family.pools_end and wanted not in tokenizer("")["input_ids"]:
        raise ModelError(
            f"{family.name} reads a text at its end token, {wanted}, and the tokenizer puts none "
            "there: they do not belong together"
        )
