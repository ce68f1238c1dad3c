"""Systems that learn from machine translations, at the smallest size, and a batch for them."""

from __future__ import annotations

from typing import Any

import torch
from tests.systems.tiny_backbone import TINY

from polyglance.data.batch import Batch, Translated
from polyglance.systems.builders import build_system
from polyglance.systems.config import (
    CL2CMConfig,
    DistilledConfig,
    LearnedWordsConfig,
    NRCCRConfig,
    PooledImageConfig,
    RecurrentTextConfig,
    SumOfHingesConfig,
)
from polyglance.systems.translated import TranslationLearner

SOURCES = ["a dog runs", "two red cats sleep", "a boat", "the dog by the sea", "a boat at night"]
TARGETS = ["ein Hund rennt", "zwei Katzen", "ein rotes Boot", "der Hund am Meer", "Boot bei Nacht"]
BACK = ["a dog races", "two cats", "a red boat", "the dog at the sea", "boat by night"]
TEXTS = [*SOURCES, *TARGETS, *BACK]
PICTURES = [3, 5, 7, 3, 9]  # of the pairs: 3 has two

Config = NRCCRConfig | CL2CMConfig | DistilledConfig
TEXT = RecurrentTextConfig(
    words=LearnedWordsConfig(min_frequency=1, dimension=12), unit={"kind": "gru"}
)


def tiny(system: type[Config], **keys: Any) -> Config:
    settings = {"dimension": 16, "text": TEXT, "loss": SumOfHingesConfig()} | keys
    if system is NRCCRConfig:
        settings = {"attention_heads": 2, "attention_dropout": 0.0} | settings
    return system(image=PooledImageConfig(backbone=TINY), **settings)


def built(config: Config, *, seed: int = 0) -> TranslationLearner:
    torch.manual_seed(seed)
    system = build_system(config, training_texts={"en": TEXTS})
    assert isinstance(system, TranslationLearner)
    return system


def batch(*, back: bool = False, pictures: list[int] | None = None) -> Batch:
    """Four pictures and five pairs, two of which are of the first picture."""
    chosen = pictures or PICTURES
    ids = torch.tensor(chosen)
    distinct = torch.tensor(list(dict.fromkeys(chosen)))
    generator = torch.Generator().manual_seed(1)
    shape = len(distinct), 3, 32, 32
    return Batch(
        images=torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8),
        image_ids=distinct,
        texts=[*SOURCES, *TARGETS],
        languages=["en"] * 5 + ["de"] * 5,
        text_image_ids=torch.cat([ids, ids]),
        translated=Translated(
            sources=SOURCES,
            targets=TARGETS,
            source_language="en",
            target_languages=["de"] * 5,
            image_ids=ids,
            back=BACK if back else None,
        ),
    )
