"""A dual encoder that was published for transformers, as it is: CLIP, SigLIP and their like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.data.batch import Batch
from polyglance.errors import ModelError
from polyglance.features import Features
from polyglance.systems.base import System
from polyglance.systems.checkpoint import UNTRAINED
from polyglance.systems.config import HubDualEncoderConfig
from polyglance.systems.fingerprint import combined_fingerprint, state_fingerprint
from polyglance.text.hub_tokenizer import HubTokenizer
from polyglance.vision.hub_processor import ExactProcessor
from polyglance.vision.normalise import normalise


class HubDualEncoder(System):
    """The model's own image and text features, normalised, compared by cosine.

    It stays in float32 and as it was published: what is measured and indexed are the embeddings
    that transformers gives for the same pixels and tokens. It learns nothing here.

    Args:
        model: has ``get_image_features`` and ``get_text_features``, which end in one space.
        tokenizer: the model's own.
        processor: geometry and colours of its pictures.
        config: what all of it was built from.

    Raises:
        ModelError: the tokenizer has more tokens than the model, or the model does not take
            pictures of the processor's size.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        tokenizer: HubTokenizer,
        processor: ExactProcessor,
        config: HubDualEncoderConfig,
    ) -> None:
        super().__init__()
        self.model: Any = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.config = config
        self.preprocessing = processor.preprocessing
        self.colours = processor.colours
        self.towers = {}
        self.dimension = self._probe()

    def backbone_features(self, pixels: Tensor) -> Tensor:
        """(batch, 3, size, size) uint8 → (batch, dimension): nothing behind it learns."""
        inputs = normalise(
            pixels.to(self.device),
            mean=self.colours.mean,
            std=self.colours.std,
            dtype=next(self.model.parameters()).dtype,
        )
        embedding: Tensor = self.model.get_image_features(pixel_values=inputs).pooler_output
        return embedding

    def encode_images(self, images: Tensor) -> Features:
        """Pixels, uint8 (batch, 3, size, size), or image features → (batch, dimension)."""
        made = self.backbone_features(images) if images.dtype == torch.uint8 else images
        return Features(functional.normalize(made.float(), dim=-1))

    def prepare_texts(
        self,
        texts: Sequence[str],
        languages: Sequence[str],  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """What the tokenizer gives; these models are told no language."""
        return self.tokenizer.encode(texts)

    def encode_texts(self, inputs: dict[str, Tensor]) -> Features:
        """What ``prepare_texts`` returned → (texts, dimension)."""
        given = {name: tensor.to(self.device) for name, tensor in inputs.items()}
        embedding: Tensor = self.model.get_text_features(**given).pooler_output
        return Features(functional.normalize(embedding.float(), dim=-1))

    def score(self, images: Features, texts: Features) -> Tensor:
        """(images, texts) cosines."""
        return images.embedding @ texts.embedding.T

    def training_step(self, batch: Batch) -> dict[str, Tensor]:  # noqa: ARG002
        """None: it is used as it was published.

        Raises:
            ModelError: always.
        """
        raise ModelError(UNTRAINED)

    def backbone_fingerprint(self) -> str:
        """Over all weights, colours and preprocessing."""
        described = (repr(self.preprocessing), repr(self.colours), "image features")
        return combined_fingerprint(state_fingerprint(self.model), *described)

    def parts(self) -> dict[str, nn.Module]:
        """The model, whole; it is none of the parts that are frozen or rounded elsewhere."""
        return {"model": self.model}

    def save_assets(self, folder: Path) -> None:
        """The tokenizer's own files."""
        self.tokenizer.save(folder)

    def _probe(self) -> int:
        """The dimension, from one black picture and one empty text."""
        size = self.preprocessing.size
        try:
            with torch.no_grad():
                image = self.encode_images(torch.zeros(1, 3, size, size, dtype=torch.uint8))
                text = self.encode_texts(self.prepare_texts([""], ["und"]))
        except (ValueError, RuntimeError, IndexError) as error:
            raise ModelError(
                f"model, image processor and tokenizer do not belong together: {error}"
            ) from None
        dimensions = image.embedding.shape[1], text.embedding.shape[1]
        if dimensions[0] != dimensions[1]:
            raise ModelError(
                f"images end in {dimensions[0]} dimensions and texts in {dimensions[1]}: the "
                "towers do not belong together"
            )
        return dimensions[0]
