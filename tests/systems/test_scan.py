"""SCAN in its four variants, from the configuration to a checkpoint and back."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import torch
from tests.systems.eight_pairs import (
    TEXTS,
    assert_a_checkpoint_brings_it_back,
    assert_it_overfits,
    assert_the_gradient_reaches_all_that_learns,
    encoded,
)
from tests.systems.tiny_backbone import TINY

from polyglance import Retriever
from polyglance.errors import ModelError
from polyglance.search.indexer import index
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import load_checkpoint, save_system
from polyglance.systems.config import (
    InfoNCEConfig,
    LearnedWordsConfig,
    RecurrentTextConfig,
    SCANConfig,
    StackedCrossAttentionConfig,
)
from polyglance.systems.dual_encoder import DualEncoder

VARIANTS = [
    StackedCrossAttentionConfig(direction=direction, pooling=pooling)
    for direction, pooling in product(("text-to-image", "image-to-text"), ("mean", "lse"))
]
each = pytest.mark.parametrize(
    "matching", VARIANTS, ids=lambda variant: f"{variant.direction}-{variant.pooling}"
)


def built(matching: StackedCrossAttentionConfig = VARIANTS[0]) -> DualEncoder:
    torch.manual_seed(0)
    config = SCANConfig(
        dimension=24,
        backbone=TINY,
        text=RecurrentTextConfig(words=LearnedWordsConfig(min_frequency=1, dimension=16)),
        matching=matching,
        loss=InfoNCEConfig(),  # the maximum of hinges may stand still
    )
    system = build_system(config, training_texts={"en": TEXTS})
    assert isinstance(system, DualEncoder)
    return system


def test_regions_and_words_are_kept() -> None:
    system = built().eval()
    images, texts = encoded(system)
    rows, columns = system.image.backbone.grid_size
    assert images.tokens is not None
    assert images.tokens.shape == (8, rows * columns, 24)
    assert texts.mask is not None
    assert texts.mask.sum(1).tolist() == [len(text.split()) + 2 for text in TEXTS]  # and the marks


@each
def test_it_overfits_eight_pairs(matching: StackedCrossAttentionConfig) -> None:
    assert_it_overfits(built(matching))


@each
def test_the_gradient_reaches_all_that_learns(matching: StackedCrossAttentionConfig) -> None:
    assert_the_gradient_reaches_all_that_learns(built(matching))


@each
def test_a_checkpoint_brings_the_same_scores_back(
    matching: StackedCrossAttentionConfig, tmp_path: Path
) -> None:
    assert_a_checkpoint_brings_it_back(built(matching), tmp_path / "model")


def test_scales_are_the_directions_own_unless_a_configuration_says_them(tmp_path: Path) -> None:
    regions_ask = {"direction": "image-to-text", "pooling": "lse"}
    for said, scales in (
        ({}, (4.0, 5.0)),
        ({"lse_scale": 20.0}, (4.0, 20.0)),
        ({"inverse_temperature": 9.0, "lse_scale": 6.0}, (9.0, 6.0)),
    ):
        matching = StackedCrossAttentionConfig.model_validate(regions_ask | said)
        save_system(built(matching), tmp_path / "model")
        loaded = load_checkpoint(tmp_path / "model").system
        comparison = loaded.matching.comparison
        assert (comparison.inverse_temperature, comparison.lse_scale) == scales


def test_parts_are_no_vectors_to_search(tmp_path: Path) -> None:
    retriever = Retriever(built(), name="scan", fingerprint="0", languages=["en"])
    with pytest.raises(ModelError, match=r"scan: .* Retriever\.score.*take a model .* `mini`"):
        index(tmp_path, tmp_path / "collection", encoder=retriever)
