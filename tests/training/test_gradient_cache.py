"""Encoding in chunks: the gradients of the whole batch, in the memory of a chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from tests.systems.tiny_clmr import TinyImages, TinyTexts
from tests.training.tiny import tiny_config, tiny_trainer
from tests.training.two_ranks import alone, systems, whole_batch
from torch import Tensor, nn

from polyglance.errors import ConfigError
from polyglance.features import Features, joined
from polyglance.losses.info_nce import InfoNCE
from polyglance.matching.cosine import CosineMatching
from polyglance.systems.base import System
from polyglance.systems.config import Part
from polyglance.systems.dual_encoder import DualEncoder
from polyglance.systems.gradient_cache import check_chunks, computed_twice

CHUNK = 2
SYSTEMS = {name: (system, images) for name, system, images in systems()}


@pytest.mark.parametrize("name", sorted(SYSTEMS.keys() - {"fei pretraining"}))
def test_chunks_have_the_gradients_of_the_whole_batch(name: str) -> None:
    system, images = SYSTEMS[name]
    batch = whole_batch(images)
    torch.manual_seed(0)  # of what is drawn
    whole = alone(system, batch)
    system.chunk_size = CHUNK
    torch.manual_seed(0)
    chunked = alone(system, batch)
    system.chunk_size = None
    assert chunked.keys() == whole.keys()
    largest = max(float(one.abs().max()) for one in whole.values())
    exact = images.dtype == torch.float64
    for key, one in whole.items():
        assert torch.allclose(chunked[key], one, rtol=0, atol=largest * (1e-12 if exact else 1e-5))


class DroppedImages(TinyImages):
    """With dropout, which must drop the same twice; counts what it encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(8, 64), nn.Dropout(0.5), nn.Linear(64, 16))  # type: ignore[assignment]
        self.sizes: list[int] = []

    def forward(self, images: Tensor) -> Features:
        self.sizes.append(len(images))
        return super().forward(images)


def dual(images: nn.Module) -> DualEncoder:
    torch.manual_seed(0)
    return DualEncoder(
        image=images,  # type: ignore[arg-type]
        text=TinyTexts(),
        matching=CosineMatching(),
        loss=InfoNCE(),
        config=Part(),
        towers={},
    ).double()


def test_what_is_dropped_is_dropped_again() -> None:
    images = DroppedImages()
    system, batch = dual(images), whole_batch(torch.randn(7, 8).double())

    def gradients(backward: Callable[[], object]) -> list[Tensor]:
        torch.manual_seed(5)
        system.zero_grad()
        backward()
        return [p.grad.clone() for p in system.parameters() if p.grad is not None]

    def by_hand() -> None:  # the same chunks, and the graph of all of them at once
        left = joined([system.encode_images(some) for some in batch.images.split(CHUNK)])
        right = system.encode_texts(system.prepare_texts(batch.texts, batch.languages))
        terms = system.cross_modal_loss(left, right, batch.positives)
        torch.stack([*terms.values()]).sum().backward()

    def in_chunks() -> None:
        system.chunk_size = CHUNK
        torch.stack([*system.training_step(batch).values()]).sum().backward()

    expected = gradients(by_hand)
    images.sizes.clear()
    found = gradients(in_chunks)
    assert images.sizes == [2, 2, 2, 1, 1, 2, 2, 2]  # and again, backwards
    for one, other in zip(expected, found, strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-15)


def test_only_a_chunk_is_kept() -> None:
    """Numbers that the graph keeps from the forward pass, with and without chunks."""
    hidden, rows = 512, 64

    def kept(size: int | None) -> int:
        torch.manual_seed(0)
        layers = nn.Sequential(nn.Linear(8, hidden), nn.Tanh(), nn.Linear(hidden, 8))
        inputs, saved = torch.randn(rows, 8), []

        def note(tensor: Tensor) -> Tensor:
            if tensor.shape[:1] not in {(hidden,), (8,)}:  # weights are there anyway
                saved.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            if size is None:
                layers(inputs).square().sum()
            else:
                parts = [computed_twice(layers, some) for some in inputs.split(size)]
                torch.cat(parts).square().sum()
        return sum(saved)

    assert kept(None) > rows * hidden
    assert kept(4) < rows * hidden / 8


def pieces() -> Iterator[tuple[System, str]]:
    yield SYSTEMS["fei pretraining"][0], "Fei does not train in chunks as it is configured"
    normalised = TinyImages()
    normalised.head = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16))  # type: ignore[assignment]
    yield dual(normalised), r"image\.head\.1 normalises over the batch"


@pytest.mark.parametrize(("system", "message"), list(pieces()))
def test_what_chunks_would_change_is_refused(system: System, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_chunks(system.train())


def test_frozen_statistics_are_no_obstacle() -> None:
    normalised = TinyImages()
    normalised.head = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16))  # type: ignore[assignment]
    system = dual(normalised).train()
    normalised.head.eval()
    check_chunks(system)


def test_the_loop_asks_before_it_trains(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.chunk_size: TinySystem does not"):
        tiny_trainer(tmp_path, config=tiny_config(chunk_size=2), validate=False)[0].fit()
