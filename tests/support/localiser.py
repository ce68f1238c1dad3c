"""A dual encoder without weights of its own: cells are mean colours, texts the ones they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from polyglance import Retriever
from polyglance.features import Features
from polyglance.heads import ProjectionHead
from polyglance.losses.sum_of_hinges import SumOfHinges
from polyglance.matching.cosine import CosineMatching
from polyglance.systems.config import Part
from polyglance.systems.dual_encoder import DualEncoder
from polyglance.text.base import TextEncoder
from polyglance.vision.base import Backbone, BackboneFeatures
from polyglance.vision.image_encoder import PooledImageEncoder
from polyglance.vision.preprocessing import Preprocessing
from support.colours import PALETTE, WORDS

CELL = 8  # pixels


class ColourGrid(Backbone):
    """Cells of 8 × 8 pixels, each by its share of every colour of the palette."""

    any_size = True
    pools_by_mean = True
    channels = len(PALETTE)

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        self.grid_size = (preprocessing.size // CELL,) * 2

    def forward(self, pixels: Tensor) -> BackboneFeatures:
        palette = torch.tensor(list(PALETTE.values()))[..., None, None]  # (colours, 3, 1, 1)
        distances = (pixels[:, None].int() - palette).square().sum(2)  # (batch, colours, h, w)
        nearest = nn.functional.one_hot(distances.argmin(1), len(PALETTE)).movedim(3, 1)
        grid = nn.functional.avg_pool2d(nearest.float(), CELL)
        return BackboneFeatures(grid=grid, pooled=grid.mean((2, 3)))


class ColourNames(TextEncoder):
    """Which colours of the palette a text names, in any language of the list."""

    def __init__(self) -> None:
        super().__init__()
        self.dimension = len(PALETTE)

    def prepare(self, texts: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        named = [
            [float(any(word in text for word in words)) for words in WORDS.values()]
            for text in texts
        ]
        return {"named": torch.tensor(named) + 1e-3}

    def forward(self, inputs: dict[str, Tensor]) -> Features:
        return Features(nn.functional.normalize(inputs["named"], dim=1))

    def parts(self) -> dict[str, nn.Module]:
        return {}


def colour_localiser(*, fit: Literal["crop", "squash"] = "squash") -> Retriever:
    """It reads 32 × 32 pixels, and 64 × 64 for a map."""
    colours = len(PALETTE)
    head = ProjectionHead(input_dimension=colours, dimension=colours)
    linear = head.layers[1]
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(colours))
        linear.bias.zero_()
    backbone = ColourGrid(Preprocessing(size=32, fit=fit))
    system = DualEncoder(
        image=PooledImageEncoder(backbone=backbone, pooling=None, head=head),
        text=ColourNames(),
        matching=CosineMatching(),
        loss=SumOfHinges(),
        config=Part(),
        towers={},
    )
    languages = ["en", "de", "fr", "cs", "ja", "ar"]
    return Retriever(system, name="colours", fingerprint="c0104b5" * 8, languages=languages)
