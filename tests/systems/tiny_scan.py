"""SCAN from a configuration alone, small enough for a test, over a convolutional network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tests.systems.tiny_backbone import TINY

from polyglance.retriever import Retriever
from polyglance.systems.builders import build_system
from polyglance.systems.config import LearnedWordsConfig, RecurrentTextConfig, SCANConfig


def tiny_scan(
    training_texts: Sequence[str], *, seed: int = 0, languages: Sequence[str] = ("en", "de")
) -> Retriever:
    """Untrained; it compares the words of its training texts with four regions a picture."""
    torch.manual_seed(seed)
    text = RecurrentTextConfig(
        words=LearnedWordsConfig(min_frequency=1, dimension=16), hidden_size=24, bidirectional=True
    )
    system = build_system(
        SCANConfig(dimension=24, backbone=TINY, text=text), training_texts={"en": training_texts}
    )
    return Retriever(system, name="tiny-scan", fingerprint="5ca9", languages=languages)
