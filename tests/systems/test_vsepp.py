"""VSE++ with both of its matchings, from the configuration to a checkpoint and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.systems.eight_pairs import (
    TEXTS,
    assert_a_checkpoint_brings_it_back,
    assert_it_overfits,
    assert_the_gradient_reaches_all_that_learns,
)
from tests.systems.tiny_backbone import TINY

from polyglance import Retriever
from polyglance.errors import ModelError
from polyglance.search.indexer import index
from polyglance.systems.builders import build_system
from polyglance.systems.config import (
    CosineConfig,
    InfoNCEConfig,
    LearnedWordsConfig,
    OrderConfig,
    RecurrentTextConfig,
    VSEppConfig,
)
from polyglance.systems.dual_encoder import DualEncoder
from polyglance.text.gru import GRU

Matching = CosineConfig | OrderConfig
both = pytest.mark.parametrize("matching", [CosineConfig(), OrderConfig()], ids=lambda m: m.kind)


def built(matching: Matching) -> DualEncoder:
    torch.manual_seed(0)
    config = VSEppConfig(
        dimension=24,
        backbone=TINY,
        text=RecurrentTextConfig(
            words=LearnedWordsConfig(min_frequency=1, dimension=16), bidirectional=False
        ),
        matching=matching,
        loss=InfoNCEConfig(),  # the maximum of hinges may stand still
    )
    system = build_system(config, training_texts={"en": TEXTS})
    assert isinstance(system, DualEncoder)
    return system


def test_the_parts_are_the_papers() -> None:
    system = built(CosineConfig())
    unit = next(module for module in system.text.modules() if isinstance(module, GRU))
    assert (unit.hidden_size, unit.directions) == (24, 1)
    assert set(system.parts()) == {"image.backbone", "image.head", "text.encoder", "loss"}


@both
def test_it_overfits_eight_pairs(matching: Matching) -> None:
    assert_it_overfits(built(matching))


@both
def test_the_gradient_reaches_all_that_learns(matching: Matching) -> None:
    assert_the_gradient_reaches_all_that_learns(built(matching))


@both
def test_a_checkpoint_brings_the_same_embeddings_back(matching: Matching, tmp_path: Path) -> None:
    assert_a_checkpoint_brings_it_back(built(matching), tmp_path / "model")


def test_order_embeddings_are_no_vectors_to_search(tmp_path: Path) -> None:
    retriever = Retriever(built(OrderConfig()), name="order", fingerprint="0", languages=["en"])
    with pytest.raises(ModelError, match=r"order: .* Retriever\.score.*take a model .* `mini`"):
        index(tmp_path, tmp_path / "collection", encoder=retriever)
    Retriever(built(CosineConfig()), name="c", fingerprint="0").require_embeddings()
