"""What a region looks like and where it is, in the transformer's width."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.precision import at_least_float32, full_precision
from polyglance.single_stream.geometry import BoxEncoding
from polyglance.vision.described_regions import DescribedRegions

WHOLE = (0.0, 0.0, 1.0, 1.0)  # the box of the picture itself


@dataclass(frozen=True, slots=True)
class EmbeddedRegions:
    """Regions of pictures, ready for the sequence.

    Attributes:
        vectors: (n, regions, width).
        whole: (n, width), the picture as one region, which every token of a text gets added.
        mask: (n, regions) bool, true where there is a region.
    """

    vectors: Tensor
    whole: Tensor
    mask: Tensor

    def __len__(self) -> int:
        """How many pictures these are regions of."""
        return len(self.vectors)

    def rows(self, rows: slice | Tensor) -> EmbeddedRegions:
        """Those of some of the pictures."""
        return EmbeddedRegions(self.vectors[rows], self.whole[rows], self.mask[rows])


class VisualEmbedding(nn.Module):
    """Box and feature → dropout → linear → rectifier → normalisation.

    VL-BERT (Su et al., ICLR 2020, section 3.2; the dropout, the rectifier and the two layer
    normalisations are those of the authors' code). The whole picture is embedded as a region whose
    box is all of it and whose feature is the mean of the regions that are shown.

    The normalisations' weights start at ``scale``, which VL-BERT sets to 0: its transformer is
    pretrained on texts and first sees exactly what it knows. Small numbers, such as the .02 that
    word vectors start with, let a transformer that starts from nothing see both from its first step
    on; at 1 a picture, added to words of .02, would drown them.

    Args:
        channels: of a region's feature.
        width: of the transformer.
        geometry: the encoding of boxes.
        dropout: probability, on box and feature.
        scale: what the normalisations' weights start at.
    """

    def __init__(
        self,
        *,
        channels: int,
        width: int,
        geometry: BoxEncoding,
        dropout: float = 0.1,
        scale: float = 0.0,
    ) -> None:
        super().__init__()
        self.geometry = geometry
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(geometry.dimension + channels, width)
        self.region_norm = _scaled_norm(width, scale)
        self.whole_norm = _scaled_norm(width, scale)
        self.hidden = nn.Parameter(torch.zeros(channels))

    def forward(
        self, regions: DescribedRegions, *, hidden: Tensor | None = None
    ) -> EmbeddedRegions:
        """Embed regions, and the whole picture.

        Args:
            regions: (n, regions, channels) features with their boxes.
            hidden: (n, regions) bool, regions whose feature gives way to a learned vector, and
                which the whole picture then leaves out; their boxes stay.
        """
        features = at_least_float32(regions.features)  # (n, regions, channels)
        shown = regions.mask
        if hidden is not None:
            features = torch.where(hidden[..., None], self.hidden, features)
            shown = shown & ~hidden
        weights = shown.to(features.dtype)  # (n, regions)
        weights = weights / weights.sum(1, keepdim=True).clamp(min=1)
        with full_precision(features):
            mean = torch.einsum("nr,nrc->nc", weights, features)  # (n, channels)
        whole_box = regions.boxes.new_tensor(WHOLE).expand(len(mean), -1)  # (n, 4)
        return EmbeddedRegions(
            vectors=self.region_norm(self._project(regions.boxes, features)),
            whole=self.whole_norm(self._project(whole_box, mean)),
            mask=regions.mask,
        )

    def _project(self, boxes: Tensor, features: Tensor) -> Tensor:
        """(…, 4) and (…, channels) → (…, width) float32."""
        both = torch.cat([self.geometry(boxes).to(features.dtype), features], dim=-1)
        return at_least_float32(functional.relu(self.projection(self.dropout(both))))


def _scaled_norm(width: int, scale: float) -> nn.LayerNorm:
    norm = nn.LayerNorm(width)
    nn.init.constant_(norm.weight, scale)
    return norm
