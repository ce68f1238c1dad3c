"""The transformer itself, taken apart so that other things than words can enter it.

A model of the transformers library is its tables of words, positions and segments, the
normalisation of their sum, and its layers. Here the tables are ours to extend, and the layers
remain the library's. With nothing but words a trunk gives the very states of the model that it was
taken from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from polyglance.errors import ModelError
from polyglance.single_stream.attention import use_short_attention
from polyglance.single_stream.last_layer import first_state
from polyglance.single_stream.word_table import WordTable
from polyglance.text.transformer import load_transformer, save_architecture

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.configuration_utils import PreTrainedConfig

SEGMENTS = 3  # the first sentence, the second, and regions
BEHIND = 2  # positions behind a text: of its regions, and of the sequence's end

# Model type → where its layers are. Their input is a normalised sum of tables, and nothing else of
# their models depends on where a token stands.
LAYERS = {
    "bert": "encoder",
    "camembert": "encoder",
    "distilbert": "transformer",
    "electra": "encoder",
    "roberta": "encoder",
    "xlm-roberta": "encoder",
}


class Trunk(nn.Module):
    """Embeddings of a BERT-like model and its layers.

    Args:
        words: ids to vectors.
        positions: (positions, width), the first one of a text first.
        segments: (3, width), for the first sentence, the second, and regions.
        norm: of the sum of all that is embedded.
        dropout: probability, behind it.
        layers: of the transformers library: states and a mask to an output with
            ``last_hidden_state``.
        architecture: which describes the model that they come from.
    """

    def __init__(
        self,
        *,
        words: WordTable,
        positions: Tensor,
        segments: Tensor,
        norm: nn.Module,
        dropout: float,
        layers: nn.Module,
        architecture: PreTrainedConfig,
    ) -> None:
        super().__init__()
        self.width = words.width
        self.architecture = architecture
        self.words = words
        self.positions = nn.Parameter(positions)
        self.segments = nn.Parameter(segments)
        self.norm = norm
        self.dropout = nn.Dropout(dropout)
        self.layers = layers

    @property
    def max_length(self) -> int:
        """Tokens of the longest text that still leaves positions for its regions and the end."""
        return len(self.positions) - BEHIND

    def forward(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """Summed embeddings (n, length, width) and bool mask (n, length) → states, alike.

        States at places that the mask leaves out say nothing, and no other place attends to them.
        """
        states, attended = self._entering(embedded, mask)
        output: Tensor = self.layers(states, attention_mask=attended).last_hidden_state
        return output

    def first(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """(n, width) the states of the first places alone, for less than those of all."""
        return first_state(self.layers, *self._entering(embedded, mask))

    def _entering(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The layers' input (n, length, width), and their mask (n, heads, from, to)."""
        return self.dropout(self.norm(embedded)), mask[:, None, None, :]

    def save_architecture(self, folder: Path) -> None:
        """Write ``text-architecture.json`` into a checkpoint's folder."""
        save_architecture(self.architecture, folder)


def load_trunk(name: str | Path, *, local_files_only: bool = True) -> Trunk:
    """A pretrained one of the families of BERT, RoBERTa, XLM-R, ELECTRA and DistilBERT.

    Args:
        name: a local folder or a hub name.
        local_files_only: do not use the network.

    Raises:
        ModelError: it is not there or not complete, or of another family.
    """
    return trunk_of(load_transformer(name, local_files_only=local_files_only), name)


def new_trunk(
    *,
    words: WordTable,
    layers: int = 12,
    heads: int = 12,
    max_length: int = 64,
    dropout: float = 0.1,
    attention_dropout: float | None = None,
) -> Trunk:
    """An untrained BERT (Devlin et al. 2019) of any size, for when no weights are at hand.

    Args:
        words: its table, whose width is the transformer's.
        layers: how many.
        heads: of each layer's attention.
        max_length: tokens of a text.
        dropout: probability, on embeddings and behind each block.
        attention_dropout: on attention weights; ``None`` for the same.

    Raises:
        ValueError: the width is not a multiple of ``heads``.
    """
    from transformers import BertConfig, BertModel

    if words.width % heads:
        raise ValueError(f"width {words.width} is not a multiple of {heads} heads")
    config = BertConfig(
        vocab_size=1,  # the words are ours
        pad_token_id=None,
        hidden_size=words.width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * words.width,
        max_position_embeddings=max_length + BEHIND,
        type_vocab_size=SEGMENTS,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout if attention_dropout is None else attention_dropout,
    )
    return _apart(BertModel(config, add_pooling_layer=False), words)


def trunk_of(model: PreTrainedModel, name: str | Path) -> Trunk:
    """Take a text model apart, which is then no model of its own; ``name`` is where it came from.

    Raises:
        ModelError: its family embeds words in another way.
    """
    config = model.config
    width = getattr(config, "embedding_size", config.hidden_size)
    if config.model_type not in LAYERS or width != config.hidden_size:
        raise ModelError(
            f"{str(name)!r} is a {type(model).__name__} of width {config.hidden_size} over "
            f"embeddings of {width}; a model without a layer between both is needed, of one of "
            f"the types {', '.join(LAYERS)}"
        )
    own: Any = model.get_input_embeddings()
    return _apart(model, WordTable(vectors=own.weight.detach()))


def _apart(model: PreTrainedModel, words: WordTable) -> Trunk:
    use_short_attention(model)
    embeddings: Any = model.embeddings
    # RoBERTa's family counts positions from behind the padding id.
    first = embeddings.padding_idx + 1 if hasattr(embeddings, "padding_idx") else 0
    return Trunk(
        words=words,
        positions=embeddings.position_embeddings.weight.detach()[first:].clone(),
        segments=_segments(embeddings, words.width),
        norm=embeddings.LayerNorm,
        dropout=embeddings.dropout.p,
        layers=model.get_submodule(LAYERS[model.config.model_type]),
        architecture=model.config,
    )


def _segments(embeddings: Any, width: int) -> Tensor:
    """(3, width): a model's own segments; those it lacks start as its first, or as zeros."""
    table = getattr(embeddings, "token_type_embeddings", None)
    known = torch.zeros(1, width) if table is None else table.weight.detach()[:SEGMENTS]
    return torch.cat([known, known[:1].expand(SEGMENTS - len(known), -1)])
