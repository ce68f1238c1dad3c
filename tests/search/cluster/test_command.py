"""``polyglance index --engine ray`` as a user types it, with a model that workers load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.systems.tiny_backbone import TINY

from polyglance.search.collection import Collection
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import save_system
from polyglance.systems.config import (
    DualEncoderConfig,
    PooledImageConfig,
    TokenizerConfig,
    TransformerTextConfig,
)
from support.collections import run
from support.colours import many_pictures

TEXTS = ["a dog", "ein Hund", "a red car", "kočka spí", "a boat", "une tasse", "bir ev"]
READS = TransformerTextConfig(
    tokenizer=TokenizerConfig(vocabulary_size=300, min_frequency=1), layers=1, width=32, heads=2
)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """A pass that is split over threads adds up in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    many_pictures(tmp_path / "photos", 30)
    return tmp_path / "photos"


@pytest.mark.timeout(600)
def test_embeddings_are_those_of_threads_bit_for_bit(
    cluster: Any, photos: Path, tmp_path: Path, one_thread: None
) -> None:
    torch.manual_seed(0)
    image = PooledImageConfig(backbone=TINY)
    config = DualEncoderConfig(dimension=24, image=image, text=READS)
    save_system(
        build_system(config, training_texts={"en": TEXTS}), tmp_path / "model", languages=["de"]
    )
    options = ["--model", tmp_path / "model", "--batch-size", 4, "--workers", 2]
    for engine in ("threads", "ray"):
        told = run("index", photos, "-c", tmp_path / engine, "--engine", engine, *options)
        assert "30 indexed, 0 unchanged, 0 moved, 0 removed, 0 skipped; 30 pictures" in told
    one, other = (
        Collection.open(tmp_path / engine).pictures.to_arrow().sort_by("id").to_pylist()
        for engine in ("threads", "ray")
    )
    assert one == other
    assert len({tuple(row["embedding"]) for row in one}) == 30


def test_options_that_an_engine_has_no_use_for_are_refused(photos: Path) -> None:
    told = run("index", photos, "-c", "c", "--address", "10.0.0.1:6379", code=2)
    assert "only --engine ray has one" in told
    told = run("index", photos, "-c", "c", "--engine", "ray", "--watch", code=2)
    assert "--engine ray does not keep up" in told
    assert not Path("c").exists()
