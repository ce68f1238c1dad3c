"""What a system is: encoders, matching, losses, and parts that can be frozen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from polyglance.data.batch import Batch
from polyglance.data.gathering import Gatherer
from polyglance.errors import ModelError
from polyglance.features import Features
from polyglance.systems.config import Part
from polyglance.systems.fingerprint import Tower
from polyglance.vision.localisation import Cells, smooth, strongest
from polyglance.vision.preprocessing import Preprocessing

PAIRS_AT_ONCE = 256
"""Pictures whose parts are gathered at a time to be compared with one text."""


class System(nn.Module, ABC):
    """A published system, whole: it trains, encodes and compares.

    Attributes:
        config: what it was built from.
        preprocessing: from a decoded picture to the pixels that it encodes.
        dimension: of its embeddings.
        towers: state-dict prefix → the pretrained part as it was loaded. A checkpoint stores a
            tower's weights only where training has changed them.
        gatherer: of what other processes have that train the same system.
        chunk_size: pictures, texts or pairs that have a graph at a time in training; ``None``: all.
    """

    config: Part
    preprocessing: Preprocessing
    dimension: int
    towers: dict[str, Tower]
    gatherer: Gatherer = Gatherer()
    chunk_size: int | None = None

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return next(self.parameters()).device

    @abstractmethod
    def backbone_features(self, pixels: Tensor) -> Tensor:
        """(batch, 3, height, width) uint8 → (batch, ...) what a feature store keeps.

        Everything before the first part that learns when the backbone is frozen; it is computed
        once a picture and trained from thereafter.
        """

    @abstractmethod
    def encode_images(self, images: Tensor) -> Features:
        """Encode pixels, uint8 (batch, 3, height, width), or what ``backbone_features`` gave."""

    @abstractmethod
    def prepare_texts(self, texts: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        """Strings to tensors, without gradients."""

    @abstractmethod
    def encode_texts(self, inputs: dict[str, Tensor]) -> Features:
        """Encode what ``prepare_texts`` returned."""

    @abstractmethod
    def score(self, images: Features, texts: Features) -> Tensor:
        """(images, texts), higher is more alike."""

    @property
    def is_inner_product(self) -> bool:
        """Whether a score is the inner product of two embeddings, so that vectors can be searched.

        Where it is not, pictures and texts have to be compared pair by pair.
        """
        return True

    def score_all(self, images: Features, texts: Features) -> Tensor:
        """(images, texts) float32 scores in bounded memory, without gradients."""
        with torch.no_grad():
            return self.score(images, texts).float()

    def score_pairs(self, images: Features, texts: Features, pairs: Tensor) -> Tensor:
        """Scores of chosen pairs, in bounded memory and without gradients.

        Each text is compared with its own pictures at once, so that pairs are best given with many
        pictures for few texts.

        Args:
            images: of any number.
            texts: of any number.
            pairs: (pairs, 2) int64, a row of ``images`` and one of ``texts`` each, in any order.

        Returns:
            (pairs,) float32.
        """
        scores = images.embedding.new_empty(len(pairs), dtype=torch.float32)
        order = pairs[:, 1].argsort(stable=True)
        each = torch.bincount(pairs[:, 1], minlength=1)  # (texts,) pairs of each
        for group in torch.split(order, each.tolist()):
            for some in torch.split(group, PAIRS_AT_ONCE):
                if not len(some):
                    continue  # nobody asks for this text
                text = texts.rows(pairs[some[:1], 1])
                of_text = self.score_all(images.rows(pairs[some, 0]), text)  # (pictures, 1)
                scores[some] = of_text[:, 0]
        return scores

    @property
    def localises(self) -> bool:
        """Whether it can say where in a picture a text is."""
        return False

    def cells(self, pixels: Tensor) -> Cells:  # noqa: ARG002
        """The parts of pictures, uint8 (batch, 3, height, width), in the joint space.

        Raises:
            ModelError: it sees pictures only as a whole.
        """
        raise ModelError(f"{type(self).__name__} sees pictures as a whole and not where things are")

    def heat(self, pixels: Tensor, texts: Features) -> Tensor:
        """How well each place of each picture matches each text, without gradients.

        Each part of a picture is scored like a picture of its own, and the map is smoothed. Only
        the places within one map can be compared.

        Args:
            pixels: (images, 3, height, width) uint8, of any size that the backbone takes.
            texts: of any number.

        Returns:
            (images, texts, rows, columns) float32.

        Raises:
            ModelError: the system sees pictures only as a whole.
        """
        with torch.no_grad():
            cells = self.cells(pixels)
            if cells.strongest is not None:
                texts = replace(texts, embedding=strongest(texts.embedding, cells.strongest))
            parts = cells.vectors.flatten(0, 1)  # (images · cells, dim)
            scores = self.score(Features(parts, tokens=parts[:, None]), texts)
            scores = scores.float().view(*cells.vectors.shape[:2], -1)  # (images, cells, texts)
            return smooth(cells.paint(cells.weigh(scores.mT)))

    def score_everywhere(self, images: Features, texts: Features) -> Tensor:
        """(all images, all texts) scores of what all processes have, with gradients.

        Each process compares its own texts with all pictures.
        """
        scores = self.score(self.gatherer.features(images), texts)  # (all images, own texts)
        return self.gatherer.rows(scores.T).T

    @property
    def trains_together(self) -> bool:
        """Whether several processes can train it, each on its share of every batch.

        Its training step then gathers what its loss compares, see ``gatherer``; or its loss is an
        average over rows, so that the mean over processes stands for it.
        """
        return False

    @property
    def encodes_in_chunks(self) -> bool:
        """Whether its training step heeds ``chunk_size``, with exact gradients."""
        return False

    @property
    def learns_from(self) -> frozenset[str]:
        """Kinds of text without pictures in a batch that it learns from: its fields' names.

        ``parallel``, ``monolingual``, or none.
        """
        return frozenset()

    @abstractmethod
    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """Named loss terms; the loop sums, logs and backpropagates them."""

    @abstractmethod
    def backbone_fingerprint(self) -> str:
        """Hex digest over the weights and preprocessing behind ``backbone_features``."""

    @abstractmethod
    def parts(self) -> dict[str, nn.Module]:
        """Part name → module, for freezing and for learning rates by part.

        ``image.backbone``, ``image.head``, ``text.encoder``, ``text.head`` and ``loss`` where
        they exist.
        """

    def for_use(self) -> System:
        """What a checkpoint holds of it: itself, or less where parts only train.

        It shares its parts with this system.
        """
        return self

    def save_assets(self, folder: Path) -> None:
        """Write what building the system again needs besides weights and configuration, if any."""
