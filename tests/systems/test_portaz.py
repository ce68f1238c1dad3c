"""Paper 3's system, from pictures and aligned words to a checkpoint and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.systems.tiny_backbone import TINY
from torch import Tensor

from polyglance.data.batch import Batch
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import load_checkpoint, save_system
from polyglance.systems.config import (
    MaxOfHingesConfig,
    PortazConfig,
    PretrainedWordsConfig,
    RecurrentTextConfig,
    SRUConfig,
    WeldonPoolingConfig,
)
from polyglance.systems.dual_encoder import DualEncoder
from polyglance.text.sru import SRU
from polyglance.vision.image_encoder import PooledImageEncoder
from polyglance.vision.weldon import WeldonPooling

THINGS = {"dog": "Hund", "cat": "Katze", "boat": "Boot", "tree": "Baum"}
COLOURS = {"red": "rot", "green": "grün"}
PAIRS = [(colour, thing) for colour in COLOURS for thing in THINGS]
PIXELS = torch.randint(
    0, 256, (8, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Word vectors of two languages in which a word and its translation are nearly the same."""
    torch.manual_seed(1)
    words = THINGS | COLOURS
    english = torch.randn(len(words), 12)
    german = english + 0.05 * torch.randn_like(english)
    found = {}
    for tag, names, vectors in (("en", words, english), ("de", words.values(), german)):
        lines = [
            " ".join([name, *(f"{number:.5f}" for number in row.tolist())])
            for name, row in zip(names, vectors, strict=True)
        ]
        found[tag] = tmp_path / f"{tag}.vec"
        found[tag].write_text(f"{len(lines)} 12\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return found


def built(files: dict[str, Path]) -> DualEncoder:
    torch.manual_seed(0)
    config = PortazConfig(
        dimension=24,
        backbone=TINY,
        pooling=WeldonPoolingConfig(channels=20, maxima=2, minima=2),
        image_dropout=0.0,
        loss=MaxOfHingesConfig(),
        text=RecurrentTextConfig(
            words=PretrainedWordsConfig(files=files),
            unit=SRUConfig(layers=4),
            bidirectional=False,
        ),
    )
    system = build_system(config)
    assert isinstance(system, DualEncoder)
    return system


def in_english() -> Batch:
    return Batch(
        images=PIXELS,
        image_ids=torch.arange(8),
        texts=[f"{colour} {thing}" for colour, thing in PAIRS],
        languages=["en"] * 8,
        text_image_ids=torch.arange(8),
    )


def trained(system: DualEncoder) -> DualEncoder:
    parameters = [p for p in system.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=3e-3)
    system.train()
    for _ in range(150):
        loss = torch.stack([*system.training_step(in_english()).values()]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return system.eval()


def encoded(system: DualEncoder, texts: list[str], language: str) -> Tensor:
    with torch.no_grad():
        inputs = system.prepare_texts(texts, [language] * len(texts))
        return system.encode_texts(inputs).embedding


def test_the_parts_are_the_papers(files: dict[str, Path]) -> None:
    system = built(files)
    assert isinstance(system.image, PooledImageEncoder)
    assert isinstance(system.image.pooling, WeldonPooling)
    unit = next(module for module in system.text.modules() if isinstance(module, SRU))
    assert unit.hidden_size == 24


def test_gradients_reach_all_but_the_words(files: dict[str, Path]) -> None:
    system = built(files).train()
    torch.stack([*system.training_step(in_english()).values()]).sum().backward()
    without = [
        name
        for name, parameter in system.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert without == []
    assert not [name for name, _ in system.named_parameters() if "words" in name]


def test_it_learns_pairs_and_finds_them_in_a_language_it_never_saw(files: dict[str, Path]) -> None:
    system = trained(built(files))
    with torch.no_grad():
        images = system.encode_images(PIXELS).embedding
    english = [f"{colour} {thing}" for colour, thing in PAIRS]
    german = [f"{COLOURS[colour]} {THINGS[thing]}" for colour, thing in PAIRS]
    for texts, language in ((english, "en"), (german, "de")):
        scores = encoded(system, texts, language) @ images.T  # (texts, images)
        assert scores.argmax(1).tolist() == list(range(8)), language


def test_a_checkpoint_needs_no_file_of_vectors(files: dict[str, Path], tmp_path: Path) -> None:
    system = built(files).eval()
    texts = ["red dog", "green boat of nothing"]
    before = encoded(system, texts, "en")
    save_system(system, tmp_path / "model", languages=["en"])
    for path in files.values():
        path.unlink()
    loaded = load_checkpoint(tmp_path / "model").system
    assert isinstance(loaded, DualEncoder)
    torch.testing.assert_close(encoded(loaded.eval(), texts, "en"), before)
