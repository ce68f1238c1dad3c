"""The text side of `mini` in numpy, against the same weights in torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from polyglance.errors import ModelError
from polyglance.systems.builders import build_mini_heads
from polyglance.systems.config import MiniConfig
from polyglance.systems.int8 import restore_rows
from polyglance.systems.locate import BUILT_IN
from polyglance.systems.mini import join
from polyglance.systems.mini_in_numpy import MiniTexts
from polyglance.text.mini_heads import MiniTextHeads
from polyglance.text.ngrams import hash_ngrams, pad

FOLDER = BUILT_IN / "mini"
TEXTS = ("ein Hund im Schnee", "犬", "", "كلب يركض في الثلج", "word " * 300)


def state_of_mini() -> dict[str, torch.Tensor]:
    state = load_file(FOLDER / "model.safetensors")
    restore_rows(torch.nn.Identity(), state, "")
    return state


def torch_heads() -> MiniTextHeads:
    config = MiniConfig(**json.loads((FOLDER / "config.json").read_text())["model"])
    _, text = build_mini_heads(config)
    state = state_of_mini()
    kept = {name: each for name, each in state.items() if name.startswith("text.")}
    text.load_state_dict({name.removeprefix("text."): each.float() for name, each in kept.items()})
    return text.eval()


def unit_rows(count: int) -> np.ndarray:
    rows = np.random.default_rng(0).standard_normal((count, 512)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def joined() -> torch.Tensor:
    """By torch, along all axes."""
    heads = torch_heads()
    rows = pad([hash_ngrams(text, buckets=heads.correction.buckets) for text in TEXTS])
    with torch.no_grad():
        captions, names, share = heads(torch.from_numpy(unit_rows(len(TEXTS))), rows)
        return join(captions, names, share)


def by_numpy(weights: Path) -> np.ndarray:
    texts = MiniTexts(weights)
    ngrams = [hash_ngrams(text, buckets=texts.buckets) for text in TEXTS]
    return texts(unit_rows(len(TEXTS)), ngrams)


def test_shipped_weights_give_the_same(joined: torch.Tensor) -> None:
    found = by_numpy(FOLDER / "model.safetensors")
    assert found.dtype == np.float32
    assert found.shape == (len(TEXTS), 512)
    along = functional.normalize(joined @ state_of_mini()["axes"].T, dim=1)
    np.testing.assert_allclose(found, along.numpy(), atol=1e-6)
    assert np.abs(found - found[:1]).max() > 0.05  # of different texts


def test_weights_in_full_precision_and_all_axes_give_the_same(
    joined: torch.Tensor, tmp_path: Path
) -> None:
    """As a model that was trained and not yet packaged has them."""
    state = {f"text.{name}": each for name, each in torch_heads().state_dict().items()}
    save_file(state, tmp_path / "model.safetensors")
    found = by_numpy(tmp_path / "model.safetensors")
    np.testing.assert_allclose(found, joined.numpy(), atol=1e-6)


def test_damage_is_told(tmp_path: Path) -> None:
    damaged = tmp_path / "model.safetensors"
    damaged.write_bytes((FOLDER / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"model\.safetensors cannot be loaded"):
        MiniTexts(damaged)
    save_file({"text.other": torch.ones(2)}, damaged)
    with pytest.raises(ModelError, match=r"cannot be loaded: .*correction\.table"):
        MiniTexts(damaged)
    with pytest.raises(ModelError, match="cannot be loaded"):
        MiniTexts(tmp_path / "missing")
