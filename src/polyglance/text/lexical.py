"""A frozen sentence encoder that is taught words and languages which it does not know.

Text-tower distillation in the manner of Reimers and Gurevych, "Making monolingual sentence
embeddings multilingual using knowledge distillation" (EMNLP 2020): whatever the language, the
output approaches the frozen encoder's embedding of the English. Deviation: the student is not a
transformer but the frozen encoder's own output, corrected by hashed character n-grams; a gate says
how far the frozen embedding is to be trusted, so that no language tag is needed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.text.ngrams import PADDING


class LexicalCorrection(nn.Module):
    """(sentence embedding, n-grams) → a unit vector in the sentence encoder's English space.

    u = normalise(σ(g · h) s + MLP(h)), where s is the frozen sentence embedding, h joins s with
    the layer-normalised sum of the n-grams' vectors, and σ(g · h) is the gate.

    Args:
        dimension: of the sentence embedding.
        buckets: rows of the n-gram table.
        width: of an n-gram's vector.
        hidden: of the MLP.
        dropout: inside the MLP.
        sentence_dropout: share of the training texts that are read by their n-grams alone.
    """

    def __init__(
        self,
        *,
        dimension: int = 512,
        buckets: int = 32_768,
        width: int = 96,
        hidden: int = 512,
        dropout: float = 0.0,
        sentence_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.buckets = buckets
        self.sentence_dropout = sentence_dropout
        self.root = dimension**0.5  # brings a unit row to entries of size 1
        self.table = nn.Parameter(torch.randn(buckets, width) * 0.1)
        self.norm = nn.LayerNorm(width)
        self.gate = nn.Linear(dimension + width, 1)
        last = nn.Linear(hidden, dimension)
        self.correct = nn.Sequential(
            nn.Linear(dimension + width, hidden), nn.GELU(), nn.Dropout(dropout), last
        )
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, 2.0)  # at first, the frozen embedding is trusted
        nn.init.normal_(last.weight, std=0.005)
        nn.init.zeros_(last.bias)

    def forward(self, sentences: Tensor, ngrams: Tensor) -> Tensor:
        """(texts, dimension) unit rows and (texts, longest) buckets → (texts, dimension)."""
        letters = self.norm(
            functional.embedding_bag(ngrams, self.table, mode="sum", padding_idx=PADDING)
        )  # (texts, width)
        if self.training and self.sentence_dropout:
            kept = torch.rand(len(sentences), 1, device=sentences.device) >= self.sentence_dropout
            sentences = sentences * kept
        joined = torch.cat([sentences * self.root, letters], dim=1)
        corrected = torch.sigmoid(self.gate(joined)) * sentences + self.correct(joined)
        return functional.normalize(corrected, dim=1)
