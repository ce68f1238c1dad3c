"""Frozen sentence encoders inside a system share a store while it trains, and no longer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import nn

from polyglance.text.sentence import SentenceTextEncoder
from polyglance.text.sentence_encoder import SentenceEncoder
from polyglance.training.text_features import stored_texts


class Counting(SentenceEncoder):
    """Of one folder, so of one fingerprint; embeds by length."""

    fingerprint = "f" * 64  # type: ignore[assignment]
    asked = 0

    def __init__(self) -> None:
        super().__init__(folder=Path("nowhere"))

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        type(self).asked += len(texts)
        return np.array([[len(text)] * self.dimension for text in texts], np.float32)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> nn.ModuleDict:
    monkeypatch.setattr(Counting, "asked", 0)
    parts = {
        name: SentenceTextEncoder(encoder=Counting(), head=None) for name in ("student", "teacher")
    }
    return nn.ModuleDict({**parts, "other": nn.Linear(1, 1)})


def read(system: nn.ModuleDict, name: str) -> list[float]:
    part = system[name]
    assert isinstance(part, SentenceTextEncoder)
    rows = part.prepare(["a", "bb"], ["en", "de"])["embeddings"]  # (texts, 512)
    return [float(row[0]) for row in rows]


def read_and_stop(system: nn.ModuleDict, folder: Path) -> None:
    with stored_texts(system, folder):
        read(system, "student")
        raise KeyboardInterrupt


def test_parts_share_what_one_of_them_has_read(system: nn.ModuleDict, tmp_path: Path) -> None:
    with stored_texts(system, tmp_path):
        assert read(system, "student") == read(system, "teacher") == [1, 2]
        assert Counting.asked == 2
    assert all(isinstance(system[name].encoder, Counting) for name in ("student", "teacher"))


def test_the_next_run_finds_it_also_after_an_interruption(
    system: nn.ModuleDict, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        read_and_stop(system, tmp_path)
    assert isinstance(system["student"].encoder, Counting)
    with stored_texts(system, tmp_path):
        assert read(system, "teacher") == [1, 2]
        assert Counting.asked == 2
