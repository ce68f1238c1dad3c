"""Any encoder of the transformers library as a text encoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn

from polyglance.errors import ModelError
from polyglance.features import Features
from polyglance.heads import ProjectionHead
from polyglance.text.base import TextEncoder
from polyglance.text.hub import cannot_load
from polyglance.text.pooling import masked_mean
from polyglance.text.tokenizer import FILE_NAME, Tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.configuration_utils import PreTrainedConfig

ARCHITECTURE = "text-architecture.json"


class TransformerTextEncoder(TextEncoder):
    """DistilBERT, BERT, XLM-R or a like model → one vector → the joint space.

    The text side of Timofeev et al. (section IV-B): DistilBERT and a fully connected layer.

    Args:
        model: from :func:`load_transformer` or :func:`new_distilbert`.
        tokenizer: the one that ``model`` was, or is going to be, trained with.
        head: from the model's width into the joint space.
        pooling: ``first``, the state of the first token (BERT's ``[CLS]``); or the ``mean`` of all.
        keep_tokens: also return each token in the joint space, for matching by words.
        max_length: tokens; the rest of a text is not read.

    Raises:
        ValueError: the model has fewer positions than ``max_length``, or fewer word vectors than
            the tokenizer has tokens.
    """

    has_words = True

    def __init__(
        self,
        *,
        model: PreTrainedModel,
        tokenizer: Tokenizer,
        head: ProjectionHead,
        pooling: Literal["first", "mean"] = "first",
        keep_tokens: bool = False,
        max_length: int = 64,
    ) -> None:
        super().__init__()
        positions = text_positions(model)
        if max_length > positions:
            raise ValueError(f"max_length {max_length} is beyond the model's {positions} positions")
        if model.config.vocab_size < len(tokenizer):
            raise ValueError(
                f"the tokenizer has {len(tokenizer)} tokens and the model "
                f"{model.config.vocab_size}: they do not belong together"
            )
        self.dimension = head.dimension
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.pooling = pooling
        self.keep_tokens = keep_tokens
        self.model = model
        self.head = head

    def prepare(self, texts: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        """``ids`` int64 and ``mask`` bool, both (texts, length)."""
        ids, mask = self.tokenizer.encode_batch(texts, languages, max_length=self.max_length)
        return {"ids": ids, "mask": mask}

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """Encode what :meth:`prepare` returned; tensors are moved to where the weights are."""
        device = self.model.device
        ids, mask = inputs["ids"].to(device), inputs["mask"].to(device)  # (n, length) each
        output = self.model(input_ids=ids, attention_mask=mask.long())
        states: Tensor = output.last_hidden_state  # (n, length, width)
        pooled = states[:, 0] if self.pooling == "first" else masked_mean(states, mask)
        if not self.keep_tokens:
            return Features(self.head(pooled))
        return Features(self.head(pooled), self.head(states), mask)

    def save_tokenizer(self, folder: Path) -> None:
        """As ``tokenizer.json``, and the model's architecture for :func:`load_architecture`."""
        self.tokenizer.save(folder / FILE_NAME)
        save_architecture(self.model.config, folder)

    def parts(self) -> dict[str, nn.Module]:
        """``encoder``: the transformer; ``head``."""
        return {"encoder": self.model, "head": self.head}


def load_transformer(name: str | Path, *, local_files_only: bool = True) -> PreTrainedModel:
    """Load a pretrained text model, in float32 and without the pooler that nothing here trains.

    Args:
        name: a local folder or a hub name.
        local_files_only: do not use the network.

    Raises:
        ModelError: it is not there, not in safetensors, not complete, or no plain text encoder.
    """
    from transformers import AutoModel

    try:
        model, report = AutoModel.from_pretrained(
            str(name),
            local_files_only=local_files_only,
            trust_remote_code=False,
            use_safetensors=True,
            dtype="float32",
            output_loading_info=True,
        )
    except (OSError, ValueError) as error:
        raise cannot_load("text model", name, error, local_files_only=local_files_only) from None
    if lost := sorted(key for key in report["missing_keys"] if "pooler" not in key):
        raise ModelError(
            f"{str(name)!r} lacks the weights {', '.join(lost[:3])} of its architecture; save the "
            "whole model there anew with save_pretrained"
        )
    return as_text_encoder(model, name)


def save_architecture(config: PreTrainedConfig, folder: Path) -> None:
    """Write ``text-architecture.json`` into a checkpoint's folder."""
    described = json.dumps(config.to_dict(), indent=2, default=str)
    (folder / ARCHITECTURE).write_text(described + "\n", encoding="utf-8")


def load_architecture(folder: Path) -> PreTrainedModel:
    """The model that a checkpoint's ``text-architecture.json`` describes, with random weights.

    Raises:
        ModelError: the description is missing or damaged.
    """
    from transformers import AutoConfig, AutoModel

    path = folder / ARCHITECTURE
    try:
        config = AutoConfig.for_model(**json.loads(path.read_text(encoding="utf-8")))
        model = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(
            f"{path} cannot be read ({error}); copy the checkpoint's folder whole"
        ) from None
    return as_text_encoder(model, folder)


def new_distilbert(
    *,
    vocabulary_size: int,
    pad_id: int,
    layers: int = 6,
    width: int = 768,
    heads: int = 12,
    max_length: int = 64,
    dropout: float = 0.1,
) -> PreTrainedModel:
    """An untrained DistilBERT (Sanh et al. 2019) of any size, for when no weights are at hand.

    Raises:
        ValueError: ``width`` is not a multiple of ``heads``.
    """
    from transformers import DistilBertConfig, DistilBertModel

    if width % heads:
        raise ValueError(f"width {width} is not a multiple of {heads} heads")
    return DistilBertModel(
        DistilBertConfig(
            vocab_size=vocabulary_size,
            pad_token_id=pad_id,
            max_position_embeddings=max_length,
            n_layers=layers,
            dim=width,
            hidden_dim=4 * width,
            n_heads=heads,
            dropout=dropout,
            attention_dropout=dropout,
        )
    )


def as_text_encoder(model: PreTrainedModel, name: str | Path) -> PreTrainedModel:
    """A loaded model without its pooler.

    Raises:
        ModelError: it is no plain text encoder.
    """
    if model.config.is_encoder_decoder or not hasattr(model.config, "vocab_size"):
        raise ModelError(
            f"{str(name)!r} is a {type(model).__name__}; a text encoder such as DistilBERT, BERT "
            "or XLM-R is needed"
        )
    if hasattr(model, "pooler"):
        model.register_module("pooler", None)
    return model


def text_positions(model: PreTrainedModel) -> int:
    """How long a text may be. RoBERTa's family numbers positions from the padding id on."""
    config = model.config
    offset = config.pad_token_id + 1 if "roberta" in config.model_type else 0
    return int(config.max_position_embeddings) - offset
