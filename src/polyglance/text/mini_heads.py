"""The text side of ``mini``: two readings of a text, and how much each of them counts."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.text.lexical import LexicalCorrection
from polyglance.text.ngrams import PADDING


class MiniTextHeads(nn.Module):
    """(sentence embedding, n-grams) → a caption, a name, and the share of the caption.

    Args:
        correction: into the sentence encoder's English space.
        branches: caption heads, one for each of the image side's.
        dimension: of a caption branch.
        hidden: of a caption branch's MLP.
        names_dimension: of the space of names, which is the sentence encoder's.
        dropout: inside the MLPs.
    """

    def __init__(
        self,
        *,
        correction: LexicalCorrection,
        branches: int = 2,
        dimension: int = 256,
        hidden: int = 512,
        names_dimension: int = 512,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.correction = correction
        self.root = names_dimension**0.5
        turns = [nn.Linear(names_dimension, dimension, bias=False) for _ in range(branches)]
        lasts = [nn.Linear(hidden, dimension) for _ in range(branches)]
        self.turns = nn.ModuleList(turns)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Linear(names_dimension, hidden), nn.GELU(), nn.Dropout(dropout), last)
            for last in lasts
        )
        self.names = nn.Linear(names_dimension, names_dimension, bias=False)
        self.share = nn.Linear(names_dimension + 1, 1)
        for turn, last in zip(turns, lasts, strict=True):
            nn.init.orthogonal_(turn.weight)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        nn.init.eye_(self.names.weight)
        nn.init.zeros_(self.share.weight)
        nn.init.zeros_(self.share.bias)

    def forward(self, sentences: Tensor, ngrams: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(texts, 512) unit rows and (texts, longest) buckets → captions, names, shares.

        Returns:
            captions (texts, branches, dimension) and names (texts, names_dimension) with unit
            rows, and shares (texts, 1) between 0, a name, and 1, a caption.
        """
        length = (ngrams != PADDING).sum(1)
        return self.read(self.correction(sentences, ngrams), length)

    def read(self, english: Tensor, length: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Corrected embeddings (texts, names_dimension) and n-grams a text (texts,)."""
        captions = torch.stack(
            [
                functional.normalize(turn(english) + branch(english * self.root), dim=1)
                for turn, branch in zip(self.turns, self.branches, strict=True)
            ],
            dim=1,
        )
        names = functional.normalize(self.names(english), dim=1)
        amount = length.clamp(min=1).log()[:, None]
        share = torch.sigmoid(self.share(torch.cat([english * self.root, amount], dim=1)))
        return captions, names, share
