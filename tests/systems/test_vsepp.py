"""VSE++ with both of its matchings, from the configuration to a checkpoint and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.systems.eight_pairs import TEXTS, encoded, losses_of_training, reached
from tests.systems.tiny_backbone import TINY

from polyglance import Retriever
from polyglance.errors import ModelError
from polyglance.search.indexer import index
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import load_checkpoint, save_system
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
    system = build_system(config, training_texts=TEXTS)
    assert isinstance(system, DualEncoder)
    return system


def test_the_parts_are_the_papers() -> None:
    system = built(CosineConfig())
    unit = next(module for module in system.text.modules() if isinstance(module, GRU))
    assert (unit.hidden_size, unit.directions) == (24, 1)
    assert set(system.parts()) == {"image.backbone", "image.head", "text.encoder", "loss"}


@both
def test_it_overfits_eight_pairs(matching: Matching) -> None:
    system = built(matching)
    losses = losses_of_training(system)
    assert losses[-1] < losses[0] / 4
    scores = system.eval().score(*encoded(system))  # (pictures, texts)
    assert scores.argmax(0).tolist() == scores.argmax(1).tolist() == list(range(8))


@both
def test_the_gradient_reaches_all_that_learns(matching: Matching) -> None:
    system = built(matching)
    everything = {name for name, _ in system.named_parameters()}
    assert reached(system) == everything
    system.parts()["image.backbone"].requires_grad_(False)
    assert reached(system) == {n for n in everything if not n.startswith("image.backbone.")}


@both
def test_a_checkpoint_brings_the_same_embeddings_back(matching: Matching, tmp_path: Path) -> None:
    system = built(matching).eval()
    fingerprint = save_system(system, tmp_path / "model", languages=["en", "de"])
    loaded = load_checkpoint(tmp_path / "model")
    assert (loaded.fingerprint, loaded.system.config) == (fingerprint, system.config)
    before, after = encoded(system), encoded(loaded.system)
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one.embedding, other.embedding)
    assert torch.equal(system.score(*before), loaded.system.score(*after))


def test_order_embeddings_are_no_vectors_to_search(tmp_path: Path) -> None:
    retriever = Retriever(built(OrderConfig()), name="order", fingerprint="0", languages=["en"])
    with pytest.raises(ModelError, match=r"order: .* Retriever\.score.*take a model .* `mini`"):
        index(tmp_path, tmp_path / "collection", encoder=retriever)
    Retriever(built(CosineConfig()), name="c", fingerprint="0").require_embeddings()
