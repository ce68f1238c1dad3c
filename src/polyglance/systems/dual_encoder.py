"""Any image encoder beside any text encoder, and a matching between them.

The plain shape of the field since VSE (Kiros et al. 2014): two encoders, one joint space, a
contrastive loss over the batch. Published systems that are this shape are configurations of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from polyglance.data.batch import Batch
from polyglance.features import Features
from polyglance.losses.base import EmbeddingLoss, ScoreLoss
from polyglance.matching.base import Matching
from polyglance.systems.base import System
from polyglance.systems.config import Part
from polyglance.systems.fingerprint import Tower, features_fingerprint
from polyglance.systems.gradient_cache import encode_images, encode_texts
from polyglance.text.base import TextEncoder
from polyglance.vision.image_encoder import ImageEncoder
from polyglance.vision.localisation import Cells


class DualEncoder(System):
    """An image encoder, a text encoder, a matching and a loss.

    Args:
        image: pixels or cached backbone features → Features.
        text: strings → Features in the same space.
        matching: Features × Features → scores.
        loss: over the scores, or over the embeddings.
        config: what all of it was built from.
        towers: see :class:`System`.

    Raises:
        ValueError: the two encoders end in spaces of different dimensions.
    """

    def __init__(
        self,
        *,
        image: ImageEncoder,
        text: TextEncoder,
        matching: Matching,
        loss: ScoreLoss | EmbeddingLoss,
        config: Part,
        towers: dict[str, Tower],
    ) -> None:
        super().__init__()
        dimension = image.dimension
        if dimension != text.dimension:
            raise ValueError(f"images end in {dimension} dimensions, texts in {text.dimension}")
        self.image = image
        self.text = text
        self.matching = matching
        self.loss = loss
        self.config = config
        self.towers = towers
        self.preprocessing = image.preprocessing
        self.dimension = dimension

    def backbone_features(self, pixels: Tensor) -> Tensor:
        """(batch, 3, h, w) uint8 → the grid or the pooled vector, whichever is read."""
        return self.image.backbone_features(pixels)

    def encode_images(self, images: Tensor) -> Features:
        """Uint8 pixels (batch, 3, h, w), or cached backbone features → Features."""
        features: Features = self.image(images)
        return features

    def prepare_texts(self, texts: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        """Strings to the text encoder's inputs, without gradients."""
        return self.text.prepare(texts, languages)

    def encode_texts(self, inputs: dict[str, Tensor]) -> Features:
        """What ``prepare_texts`` returned → Features."""
        features: Features = self.text(inputs)
        return features

    def score(self, images: Features, texts: Features) -> Tensor:
        """(images, texts), as the matching compares them."""
        scores: Tensor = self.matching(images, texts)
        return scores

    @property
    def is_inner_product(self) -> bool:
        """As the matching says."""
        return self.matching.is_inner_product

    def score_all(self, images: Features, texts: Features) -> Tensor:
        """(images, texts) float32 scores in blocks of bounded memory, without gradients."""
        return self.matching.score_all(images, texts)

    @property
    def localises(self) -> bool:
        """As the image encoder says."""
        return self.image.localises

    def cells(self, pixels: Tensor) -> Cells:
        """The image encoder's.

        Raises:
            ModelError: it sees pictures only as a whole.
        """
        return self.image.cells(pixels)

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of a batch, term by term."""
        images = encode_images(self, batch.images)
        texts = encode_texts(self, batch.texts, batch.languages)
        return self.cross_modal_loss(images, texts, self.gatherer.positives(batch))

    def cross_modal_loss(
        self,
        images: Features,
        texts: Features,
        positives: Tensor,
        *,
        among: Tensor | slice = slice(None),
    ) -> dict[str, Tensor]:
        """The loss between the pictures and texts of all processes.

        Args:
            images: of this process.
            texts: of this process.
            positives: (all images, all texts) bool.
            among: (all texts,) bool, the texts that take part.
        """
        terms: dict[str, Tensor]
        positives = positives[:, among]  # (all images, texts that take part)
        if isinstance(self.loss, EmbeddingLoss):
            left, right = (self.gatherer.rows(side.embedding) for side in (images, texts))
            terms = self.loss(left, right[among], positives)
        else:
            terms = self.loss(self.score_everywhere(images, texts)[:, among], positives)
        return terms

    @property
    def trains_together(self) -> bool:
        """With this very training step; another one has to say so itself."""
        return type(self).training_step is DualEncoder.training_step

    @property
    def encodes_in_chunks(self) -> bool:
        """With this very training step; another one has to say so itself."""
        return type(self).training_step is DualEncoder.training_step

    def backbone_fingerprint(self) -> str:
        """Over the backbone's weights, its preprocessing and what of it is kept."""
        tower = self.towers.get("image.backbone")
        return features_fingerprint(
            self.image.backbone,
            keeps=self.image.keeps,
            tower=tower,
            frames=self.preprocessing.frames,
        )

    def parts(self) -> dict[str, nn.Module]:
        """Backbone, image head, text encoder, text head and loss, as far as they exist."""
        return {
            "image.backbone": self.image.backbone,
            "image.head": self.image.learned(),
            **{f"text.{name}": module for name, module in self.text.parts().items()},
            "loss": self.loss,
        }

    def save_assets(self, folder: Path) -> None:
        """The tokenizer, and the architectures of transformers models."""
        self.text.save_tokenizer(folder)
        self.image.backbone.save_architecture(folder)
