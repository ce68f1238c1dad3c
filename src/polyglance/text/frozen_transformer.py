"""A frozen transformer whose last layer is read by a GRU: the BERT-ML baseline of paper 2."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.data.text import normalise_text
from polyglance.features import Features
from polyglance.heads import ProjectionHead
from polyglance.precision import full_precision
from polyglance.text.base import TextEncoder
from polyglance.text.batching import length_sorted_batches
from polyglance.text.gru import GRU
from polyglance.text.kept_rows import KeptRows
from polyglance.text.tokenizer import FILE_NAME, Tokenizer
from polyglance.text.transformer import save_architecture

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class FrozenTransformerTextEncoder(TextEncoder):
    """Multilingual BERT or a like model, never trained → packed (Bi)GRU → the joint space.

    The baseline of Wehrmann et al. (2019, table 4, BERT-ML). What the transformer says of a text
    is the same always, so it runs in :meth:`prepare`, without gradients and in float32, and is
    kept in memory: a caption passes it in the first epoch only.

    Args:
        model: from :func:`~polyglance.text.transformer.load_transformer`; evaluation mode from
            here on, whatever is asked of the encoder. Its weights travel in the checkpoint.
        tokenizer: the model's own.
        hidden_size: of the GRU's state in each direction.
        bidirectional: read both ways and average.
        head: into the joint space; without one the pooled state itself is normalised.
        keep_tokens: also return each token in the joint space.
        dropout: probability, on the transformer's states.
        max_length: tokens; the rest of a text is not read.
        kept_texts: how many texts' states to keep, in float16 (30 KB each at 20 tokens of 768).

    Raises:
        ValueError: ``kept_texts`` is negative.
    """

    has_words = True

    always_frozen = ("model",)

    def __init__(
        self,
        *,
        model: PreTrainedModel,
        tokenizer: Tokenizer,
        hidden_size: int = 1024,
        bidirectional: bool = True,
        head: ProjectionHead | None = None,
        keep_tokens: bool = False,
        dropout: float = 0.0,
        max_length: int = 64,
        kept_texts: int = 50_000,
    ) -> None:
        super().__init__()
        self.dimension = hidden_size if head is None else head.dimension
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.keep_tokens = keep_tokens
        self.model = model.requires_grad_(False)
        self.model.train(False)
        self.dropout = nn.Dropout(dropout)
        self.gru = GRU(
            input_size=model.config.hidden_size,
            hidden_size=hidden_size,
            bidirectional=bidirectional,
        )
        self.head = head
        self._kept = KeptRows[Tensor](kept_texts)
        self.register_load_state_dict_post_hook(  # type: ignore[no-untyped-call]
            lambda encoder, _: encoder._kept.clear()
        )

    def train(self, mode: bool = True) -> Self:
        """The transformer's own dropout stays off."""
        super().train(mode)
        self.model.train(False)
        return self

    def prepare(
        self,
        texts: Sequence[str],
        languages: Sequence[str],  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """``states`` (all tokens, width) float16, ``index`` (texts, tokens), ``lengths`` (texts,).

        ``index`` says which rows of ``states`` are whose; the model needs no language.
        """
        rows = self._kept.get([normalise_text(text) for text in texts], self._read)
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        mask = torch.arange(int(lengths.max())) < lengths[:, None]  # (texts, tokens)
        index = torch.zeros_like(mask, dtype=torch.int64)
        index[mask] = torch.arange(int(lengths.sum()))
        with full_precision(rows[0]):  # autocast to bfloat16 knows no float16
            states = torch.cat(rows)
        return {"states": states, "index": index, "lengths": lengths}

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """Encode what :meth:`prepare` returned; tensors are moved to where the weights are."""
        weight = self.gru.weight_hidden
        index, lengths = inputs["index"].to(weight.device), inputs["lengths"].to(weight.device)
        table = self.dropout(inputs["states"].to(weight))  # (all tokens, width)
        if not self.keep_tokens:
            last = self.gru.last(table, index, lengths)  # (directions, texts, hidden size)
            return Features(self._project(last.mean(dim=0)))
        states, last = self.gru(table, index, lengths)  # (texts, tokens, hidden size)
        mask = torch.arange(index.shape[1], device=weight.device) < lengths[:, None]
        tokens = self._project(states)
        return Features(self._project(last.mean(dim=0)), tokens, mask)

    def save_tokenizer(self, folder: Path) -> None:
        """As ``tokenizer.json``, and the model's architecture."""
        self.tokenizer.save(folder / FILE_NAME)
        save_architecture(self.model.config, folder)

    def parts(self) -> dict[str, nn.Module]:
        """``encoder``: the GRU, since the transformer never learns; ``head`` where there is one."""
        return {"encoder": self.gru} | ({} if self.head is None else {"head": self.head})

    @torch.no_grad()
    def _read(self, texts: list[str]) -> Iterable[Tensor]:
        """The last layer's states of each text, (tokens, width), on the CPU."""
        device = self.model.device
        rows: dict[int, Tensor] = {}
        for batch in length_sorted_batches(texts, batch_size=32):
            ids, mask = self.tokenizer.encode_batch(
                [texts[row] for row in batch], max_length=self.max_length
            )
            with full_precision(self.gru.weight_hidden):
                output = self.model(
                    input_ids=ids.to(device), attention_mask=mask.to(device, torch.int64)
                )
            states = output.last_hidden_state.cpu()  # (batch, tokens, width)
            for row, state, there in zip(batch, states, mask, strict=True):
                rows[row] = state[there].half()
        return [rows[row] for row in range(len(texts))]

    def _project(self, states: Tensor) -> Tensor:
        """(..., hidden size) → (..., dimension) with unit rows."""
        if self.head is None:
            return functional.normalize(states, dim=-1)
        projected: Tensor = self.head(states)
        return projected
