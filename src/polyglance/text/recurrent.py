"""Word vectors and a gated recurrent unit: the text encoder of VSE++, SCAN and CLMR."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from polyglance.features import Features
from polyglance.heads import ProjectionHead
from polyglance.text.base import TextEncoder
from polyglance.text.pooling import masked_mean
from polyglance.text.tokenizer import FILE_NAME, Tokenizer
from polyglance.text.word_vectors import WordVectors


class RecurrentTextEncoder(TextEncoder):
    """Word vectors → packed (Bi)GRU → one vector → the joint space.

    With one direction, ``last`` pooling and no head it is the text side of VSE++ (Faghri et al.
    2018); with two, whose states are averaged, that of SCAN (Lee et al. 2018, word by word) and of
    CLMR (Wehrmann et al. 2019, section 2.1).

    Sequences are packed, so that neither direction reads padding and an embedding does not depend
    on the texts beside it.

    Args:
        tokenizer: of words.
        words: one vector a token of ``tokenizer``.
        hidden_size: of the state in each direction.
        bidirectional: read both ways and average.
        pooling: ``last``, the state that a direction ends in (the first word's, for the one that
            reads backwards); or ``mean`` over the words.
        head: into the joint space; without one the pooled state itself is normalised.
        keep_tokens: also return each word in the joint space, for matching by words.
        dropout: probability, on the word vectors.
        max_length: tokens; the rest of a text is not read.

    Raises:
        ValueError: there are fewer word vectors than tokens.
    """

    def __init__(
        self,
        *,
        tokenizer: Tokenizer,
        words: WordVectors,
        hidden_size: int = 1024,
        bidirectional: bool = True,
        pooling: Literal["last", "mean"] = "last",
        head: ProjectionHead | None = None,
        keep_tokens: bool = False,
        dropout: float = 0.0,
        max_length: int = 64,
    ) -> None:
        super().__init__()
        if len(words.vectors) < len(tokenizer):
            raise ValueError(f"{len(words.vectors)} word vectors for {len(tokenizer)} tokens")
        self.dimension = hidden_size if head is None else head.dimension
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.pooling = pooling
        self.keep_tokens = keep_tokens
        self.words = words
        self.dropout = nn.Dropout(dropout)
        self.gru = nn.GRU(
            words.dimension, hidden_size, batch_first=True, bidirectional=bidirectional
        )
        self.head = head

    def prepare(self, texts: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        """``ids`` int64 and ``mask`` bool, both (texts, length)."""
        ids, mask = self.tokenizer.encode_batch(texts, languages, max_length=self.max_length)
        return {"ids": ids, "mask": mask}

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        """Encode what :meth:`prepare` returned; tensors are moved to where the weights are.

        Shapes: texts n, words w, hidden size h, directions d (1 or 2).
        """
        device = self.words.vectors.device
        ids, mask = inputs["ids"].to(device), inputs["mask"].to(device)  # (n, w) each
        words = self.dropout(self.words(ids))  # (n, w, word dimension)
        packed = pack_padded_sequence(
            words, inputs["mask"].sum(dim=1).cpu(), batch_first=True, enforce_sorted=False
        )
        packed_states, last = self.gru(packed)  # last: (d, n, h)
        states, _ = pad_packed_sequence(packed_states, batch_first=True, total_length=ids.shape[1])
        states = states.reshape(*ids.shape, len(last), -1).mean(dim=2)  # (n, w, h)
        pooled = last.mean(dim=0) if self.pooling == "last" else masked_mean(states, mask)
        if not self.keep_tokens:
            return Features(self._project(pooled))
        return Features(self._project(pooled), self._project(states), mask)

    def save_tokenizer(self, folder: Path) -> None:
        """As ``tokenizer.json``."""
        self.tokenizer.save(folder / FILE_NAME)

    def parts(self) -> dict[str, nn.Module]:
        """``encoder``: vectors and GRU; ``head`` where there is one."""
        encoder = nn.ModuleList([self.words, self.gru])
        return {"encoder": encoder} | ({} if self.head is None else {"head": self.head})

    def _project(self, states: Tensor) -> Tensor:
        """(..., hidden size) → (..., dimension) with unit rows."""
        if self.head is None:
            return functional.normalize(states, dim=-1)
        projected: Tensor = self.head(states)
        return projected
