"""Dual encoders of transformers that are understood, and what sets each family apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polyglance.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


@dataclass(frozen=True, slots=True)
class Family:
    """How models of one ``model_type`` read texts; pictures all of them read alike.

    Attributes:
        name: as people know it.
        pads_fully: texts were padded to the whole length in training, so that padding is part of
            what they say.
        has_mask: attention knows where padding is.
        pools_end: a text is what stands at its end token, which the tokenizer must put there.
        lowers: texts were in lower case in training, whatever the tokenizer at hand does.
        counts_from_padding: positions are numbered from the padding id on, as RoBERTa's are.
    """

    name: str
    pads_fully: bool = False
    has_mask: bool = True
    pools_end: bool = False
    counts_from_padding: bool = False
    lowers: bool = False


FAMILIES = {
    "clip": Family("CLIP", pools_end=True),
    "metaclip_2": Family("MetaCLIP 2", pools_end=True),
    # Zhai et al. (ICCV 2023) and Tschannen et al. (2025) train without a mask on 64 tokens, and in
    # lower case; but the published checkpoints of SigLIP 2 name a tokenizer that keeps capitals.
    "siglip": Family("SigLIP and SigLIP 2", pads_fully=True, has_mask=False, lowers=True),
    "chinese_clip": Family("Chinese-CLIP"),
    "altclip": Family("AltCLIP", counts_from_padding=True),
}
"""``model_type`` in a ``config.json`` → family."""

HINTS = {
    "siglip2": "it takes pictures of any shape (NaFlex); take the checkpoint of a fixed resolution",
    "clip_text_model": "it is a text tower without pictures",
    "clip_vision_model": "it is an image tower without texts",
    "siglip_text_model": "it is a text tower without pictures",
    "siglip_vision_model": "it is an image tower without texts",
}


def family_of(model_type: object, where: str) -> Family:
    """The family of a ``model_type``.

    Args:
        model_type: of a ``config.json``.
        where: it was read, for the message.

    Raises:
        ModelError: it is none of those understood; the message lists them.
    """
    if isinstance(model_type, str) and model_type in FAMILIES:
        return FAMILIES[model_type]
    hint = HINTS.get(str(model_type))
    raise ModelError(
        f"{where}: a model of type {model_type!r} cannot be searched with"
        f"{f': {hint}' if hint else ''}; supported are {supported()}"
    )


def supported() -> str:
    """The families, for people."""
    return ", ".join(f"{family.name} ({kind})" for kind, family in FAMILIES.items())


def text_length(config: PreTrainedConfig, family: Family, tokenizer_length: int) -> int:
    """Tokens that a text may have: no more than the model has positions, or its tokenizer says."""
    text = config.text_config
    taken = text.pad_token_id + 1 if family.counts_from_padding else 0
    return int(min(text.max_position_embeddings - taken, tokenizer_length))
