"""The built-in model: frozen towers, and heads small enough to be shipped.

Two ways of comparing a picture with a text are trained side by side. As *captions*: attention
pooling over the tower's grid against the sentence embedding, contrastively, on captioned photos.
As *names*: the tower's class posterior over class-name vectors (ConSE, Norouzi et al. 2014)
against the same sentence embedding, on the names of the 1,000 ImageNet classes in many languages
(in the spirit of DeViSE, Frome et al. 2013). The text says how much each counts: a sentence is
compared as a caption, a single word as a name. Both are cosines, and their weighted sum is one dot
product of longer vectors, so that a collection needs one vector a picture. Of those only the axes
are kept that pictures and texts vary along (principal components of both, by
``recipes/mini/axes.py``): a collection is that much smaller, and nothing is found less well.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.data.batch import Batch
from polyglance.data.text import normalise_text
from polyglance.features import Features
from polyglance.losses.base import ScoreLoss
from polyglance.systems.base import System
from polyglance.systems.config import MiniConfig
from polyglance.systems.fingerprint import (
    Tower,
    combined_fingerprint,
    is_rounded,
    state_fingerprint,
)
from polyglance.systems.gradient_cache import encode_images, encode_texts
from polyglance.systems.int8 import restore_rows
from polyglance.text.mini_heads import MiniTextHeads
from polyglance.text.ngrams import hash_ngrams, pad
from polyglance.text.sentence import Embedder
from polyglance.vision.backbone_reader import PICTURES_PER_THREAD
from polyglance.vision.base import Backbone
from polyglance.vision.caption_head import CaptionHead
from polyglance.vision.class_names import ClassNames
from polyglance.vision.localisation import Cells


class MiniImageHeads(nn.Module):
    """Grid and class logits → the picture as a caption and as a name.

    Args:
        captions: over the grid.
        names: over the logits.
    """

    def __init__(self, *, captions: CaptionHead, names: ClassNames) -> None:
        super().__init__()
        self.captions = captions
        self.names = names

    def forward(self, cells: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, cells, components), (batch, classes) → (batch, branches, dim), (batch, 512)."""
        names = self.names(logits)
        return self.captions(cells, names.detach()), names


class Mini(System):
    """Frozen image tower and sentence encoder, and the heads between them.

    Args:
        backbone: the image tower; frozen.
        encoder: strings → unit rows (texts, 512); frozen, no module, not in a checkpoint.
        image: heads over the tower's grid and classifier.
        text: heads over the sentence embedding.
        loss: for adapting the heads to a user's own captions.
        config: what all of it was built from.
        towers: see :class:`System`.
    """

    config: MiniConfig

    def __init__(
        self,
        *,
        backbone: Backbone,
        encoder: Embedder,
        image: MiniImageHeads,
        text: MiniTextHeads,
        loss: ScoreLoss,
        config: MiniConfig,
        towers: dict[str, Tower],
    ) -> None:
        super().__init__()
        self.backbone = backbone.eval().requires_grad_(False)
        self.encoder = encoder
        self.image = image
        self.text = text
        self.loss = loss
        self.config = config
        self.towers = towers
        self.preprocessing = backbone.preprocessing
        joined = (
            image.captions.dimension * len(image.captions.branches) + image.names.vectors.shape[1]
        )
        self.dimension = config.axes or joined
        self.axes: Tensor | None
        axes = None if config.axes is None else torch.eye(config.axes, joined)
        self.register_buffer("axes", axes)  # (dimension, joined) of orthonormal rows
        self.register_load_state_dict_pre_hook(restore_rows)  # type: ignore[no-untyped-call]

    def train(self, mode: bool = True) -> Self:
        """Switch to training; the tower stays as it is."""
        super().train(mode)
        self.backbone.eval()
        return self

    def backbone_features(self, pixels: Tensor) -> Tensor:
        """(batch, 3, size, size) uint8 → the grid (batch, 2048, 7, 7)."""
        few = len(pixels)
        if pixels.device.type == "cpu":
            few = PICTURES_PER_THREAD * torch.get_num_threads()
        with torch.no_grad():
            grids = [self.backbone(part).grid for part in torch.split(pixels, max(few, 1))]
        return torch.cat(grids)

    def encode_images(self, images: Tensor) -> Features:
        """Pixels, uint8 (batch, 3, size, size), or grids → (batch, dimension)."""
        grid = self.backbone_features(images) if images.dtype == torch.uint8 else images.float()
        with torch.no_grad():
            cells = self.image.captions.reduce(grid)
            logits = self.backbone.classify(grid.mean((2, 3)))  # (batch, classes)
        captions, names = self.image(cells, logits)
        return self._features(join(captions, names, torch.full_like(names[:, :1], 0.5)))

    def prepare_texts(
        self,
        texts: Sequence[str],
        languages: Sequence[str],  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """``sentences`` (texts, 512) and ``ngrams`` (texts, longest); no tag is needed."""
        normal = [normalise_text(text) for text in texts]
        buckets = self.text.correction.buckets
        return {
            "sentences": torch.from_numpy(self.encoder.embed(normal)),
            "ngrams": pad([hash_ngrams(text, buckets=buckets) for text in normal]),
        }

    def encode_texts(self, inputs: dict[str, Tensor]) -> Features:
        """What ``prepare_texts`` returned → (texts, dimension)."""
        device = self.text.names.weight.device
        captions, names, share = self.text(
            inputs["sentences"].to(device), inputs["ngrams"].to(device)
        )
        return self._features(join(captions, names, share))

    def _features(self, joined: Tensor) -> Features:
        """(batch, joined) → along the axes (batch, dimension)."""
        if self.axes is None:
            return Features(embedding=joined)
        return Features(embedding=functional.normalize(joined @ self.axes.T, dim=1))

    def score(self, images: Features, texts: Features) -> Tensor:
        """(images, texts) cosines."""
        return images.embedding @ texts.embedding.T

    @property
    def localises(self) -> bool:
        """It keeps the tower's grid."""
        return True

    def cells(self, pixels: Tensor) -> Cells:
        """Each cell of the grid as a picture of its own, weighed by how much it shows.

        The heads do not ask how long a cell's vector is, but cells of objects are longer than those
        of lawns and skies: here each counts by the root of its length. In training photos the
        maximum for an object's name then lies in a detector's boxes 77 % of the time in five
        languages, against 55 % without (by chance 13 %); on mosaics, where a background tells one
        photo from another as well as an object does, it costs some points.
        """
        grid = self.backbone(pixels).grid  # (batch, channels, rows, columns)
        batch, _, rows, columns = grid.shape
        alone = grid.flatten(2).mT.flatten(0, 1)[..., None, None]  # (batch · cells, channels, 1, 1)
        embedding = self.encode_images(alone).embedding  # (batch · cells, dimension)
        return Cells(
            vectors=embedding.view(batch, rows * columns, -1),
            shape=(rows, columns),
            weights=grid.norm(dim=1).flatten(1).sqrt(),  # (batch, cells)
        )

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """The contrastive loss over the joined embeddings."""
        images = encode_images(self, batch.images)
        texts = encode_texts(self, batch.texts, batch.languages)
        scores = self.score_everywhere(images, texts)
        terms: dict[str, Tensor] = self.loss(scores, self.gatherer.positives(batch))
        return terms

    @property
    def trains_together(self) -> bool:
        """All scores are gathered."""
        return True

    @property
    def encodes_in_chunks(self) -> bool:
        """Pictures and texts."""
        return True

    def backbone_fingerprint(self) -> str:
        """Over the tower's weights and its preprocessing."""
        tower = self.towers.get("backbone")
        if tower is not None and is_rounded(self.backbone):
            weights = tower.fingerprint  # rounding for speed leaves a tower the same tower
        else:
            weights = state_fingerprint(self.backbone)
        return combined_fingerprint(weights, repr(self.preprocessing), "grid")

    def parts(self) -> dict[str, nn.Module]:
        """Tower, image heads, text heads and loss; the sentence encoder is no module."""
        return {
            "image.backbone": self.backbone,
            "image.head": self.image,
            "text.head": self.text,
            "loss": self.loss,
        }

    def save_assets(self, folder: Path) -> None:
        """Nothing: n-grams are hashed, and the towers are named."""


def join(captions: Tensor, names: Tensor, share: Tensor) -> Tensor:
    """Captions (rows, branches, dim), names (rows, dim), share (rows, 1) → (rows, dimension).

    Between a picture with share ½ and a text with share α, the dot product is proportional to
    α · (mean of the branches' cosines) + (1 - α) · (cosine of the names).
    """
    branches = captions.shape[1]
    as_caption = captions.flatten(1) * (share / branches**0.5)
    joined = torch.cat([as_caption, names * (1 - share)], dim=1)
    return functional.normalize(joined, dim=1)
