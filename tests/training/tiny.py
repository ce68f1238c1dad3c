"""A system small enough to train in milliseconds, with all that can go wrong in a big one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from polyglance.data.batch import Batch
from polyglance.data.dataset import TensorSource
from polyglance.data.record import Record
from polyglance.data.sampler import CaptionSampler
from polyglance.features import Features
from polyglance.heads import ProjectionHead
from polyglance.losses.info_nce import InfoNCE
from polyglance.systems.base import System
from polyglance.systems.config import Part
from polyglance.training.loop import Trainer
from polyglance.training.recipe import TrainingConfig
from polyglance.training.validation import Validator
from polyglance.vision.preprocessing import Preprocessing

WORDS, SIZE = 64, 4


class TinySystem(System):
    """BatchNorm in the backbone, dropout in the text head, a learned scale in the loss."""

    def __init__(self, *, loss: nn.Module | None = None, dropout: float = 0.1) -> None:
        super().__init__()
        self.config, self.towers = Part(), {}
        self.preprocessing, self.dimension = Preprocessing(size=SIZE), 16
        self.backbone = nn.Sequential(
            nn.Linear(3 * SIZE * SIZE, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32)
        )
        self.image_head = ProjectionHead(input_dimension=32, dimension=16)
        self.words = nn.EmbeddingBag(WORDS, 32, mode="mean")
        self.text_head = ProjectionHead(input_dimension=32, dimension=16, dropout=dropout)
        self.loss = InfoNCE() if loss is None else loss
        self.before_step: Callable[[], object] = lambda: None

    def backbone_features(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.backbone(pixels.flatten(1).float() / 255)  # (batch, 32)
        return features

    def encode_images(self, images: Tensor) -> Features:
        if images.dtype == torch.uint8:
            images = self.backbone_features(images)
        return Features(self.image_head(images))

    def prepare_texts(self, texts: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        ids = [[sum(word.encode()) % WORDS for word in text.split()] for text in texts]
        longest = max(map(len, ids))
        return {"ids": torch.tensor([(row * longest)[:longest] for row in ids])}

    def encode_texts(self, inputs: dict[str, Tensor]) -> Features:
        return Features(self.text_head(self.words(inputs["ids"])))

    def score(self, images: Features, texts: Features) -> Tensor:
        return images.embedding @ texts.embedding.T

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        self.before_step()
        images = self.encode_images(batch.images)
        texts = self.encode_texts(self.prepare_texts(batch.texts, batch.languages))
        scores = self.score_everywhere(images, texts)
        terms: dict[str, Tensor] = self.loss(scores, self.gatherer.positives(batch))
        return terms

    @property
    def trains_together(self) -> bool:
        return True

    def backbone_fingerprint(self) -> str:
        return "tiny"

    def parts(self) -> dict[str, nn.Module]:
        return {
            "image.backbone": self.backbone,
            "image.head": self.image_head,
            "text.encoder": self.words,
            "text.head": self.text_head,
            "loss": self.loss,
        }


def tiny_records(count: int) -> list[Record]:
    return [
        Record(
            id=f"p{n}",
            captions={
                "en": (f"picture {n} shows w{n} x{7 * n}", f"a view of w{n}"),
                "de": (f"bild {n} zeigt v{3 * n}",),
            },
        )
        for n in range(count)
    ]


def tiny_pixels(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randint(0, 256, (count, 3, SIZE, SIZE), generator=generator).byte()


def tiny_config(**changes: object) -> TrainingConfig:
    settings: dict[str, object] = {
        "phases": [{"steps": 24, "learning_rate": 0.01}],
        "batch_size": 8,
        "clip_gradients": 1.0,
        "log_every": 1,
        "seed": 3,
    }
    return TrainingConfig.model_validate(settings | changes)


def tiny_trainer(
    folder: Path,
    *,
    config: TrainingConfig | None = None,
    system: TinySystem | None = None,
    count: int = 20,
    validate: bool = True,
) -> tuple[Trainer, TinySystem]:
    """A trainer over ``count`` random pictures; the same arguments give the same run."""
    config = config or tiny_config()
    torch.manual_seed(config.seed)
    system = system or TinySystem()
    records, pixels = tiny_records(count), tiny_pixels(count)
    trainer = Trainer(
        system,
        config=config,
        sampler=CaptionSampler(records, batch_size=config.batch_size, seed=config.seed),
        sources=lambda _split, _frozen: TensorSource(pixels),
        validator=Validator(records, languages=["en", "de"]) if validate else None,
        folder=folder,
        show_progress=False,
    )
    return trainer, system
