"""CLMR with encoders so small that it trains in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain
from zlib import crc32

import torch
from torch import Tensor, nn

from polyglance.features import Features
from polyglance.losses.base import EmbeddingLoss, ScoreLoss
from polyglance.losses.sum_of_hinges import SumOfHinges
from polyglance.matching.cosine import CosineMatching
from polyglance.systems.config import Part
from polyglance.systems.cotrained import CoTrained
from polyglance.text.base import TextEncoder


class TinyImages(nn.Module):
    """A linear layer over features."""

    keeps = "pooled"
    dimension = 16
    preprocessing = None

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Identity()
        self.head = nn.Linear(8, 16)

    def learned(self) -> nn.Module:
        return self.head

    def forward(self, images: Tensor) -> Features:
        return Features(nn.functional.normalize(self.head(images), dim=1))


class TinyTexts(TextEncoder):
    """The mean of hashed words; notes what it was asked to prepare."""

    def __init__(self) -> None:
        super().__init__()
        self.dimension = 16
        self.words = nn.EmbeddingBag(8191, 16, mode="mean")
        self.prepared: list[tuple[str, str]] = []

    def prepare(self, texts: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        self.prepared = list(zip(texts, languages, strict=True))
        words = [[crc32(word.encode()) % 8191 for word in text.split()] for text in texts]
        starts = accumulate((len(row) for row in words[:-1]), initial=0)
        return {"words": torch.tensor([*chain(*words)]), "starts": torch.tensor([*starts])}

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        return Features(
            nn.functional.normalize(self.words(inputs["words"], inputs["starts"]), dim=1)
        )

    def parts(self) -> dict[str, nn.Module]:
        return {"encoder": self.words}


def tiny_clmr(
    *, loss: ScoreLoss | EmbeddingLoss | None = None, text_loss: ScoreLoss | None = None
) -> CoTrained:
    torch.manual_seed(0)
    return CoTrained(
        image=TinyImages(),  # type: ignore[arg-type]
        text=TinyTexts(),
        matching=CosineMatching(),
        loss=loss or SumOfHinges(),
        text_loss=text_loss or SumOfHinges(),
        config=Part(),
        towers={},
    )
