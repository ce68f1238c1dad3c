"""Eight pictures of four coloured quarters and a caption each, to be learned by heart."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from polyglance.data.batch import Batch
from polyglance.features import Features
from polyglance.systems.base import System
from polyglance.systems.checkpoint import load_checkpoint, save_system

TEXTS = [
    "a dog",
    "two red cars",
    "a boat on the sea",
    "ein Hund",
    "the cat sleeps",
    "a house by the sea",
    "two boats",
    "a red house",
]
LANGUAGES = ["en", "en", "en", "de", "en", "en", "en", "en"]


def pictures() -> Tensor:
    """(8, 3, 32, 32) uint8."""
    generator = torch.Generator().manual_seed(0)
    quarters = torch.randint(0, 256, (8, 3, 2, 2), generator=generator, dtype=torch.uint8)
    return quarters.repeat_interleave(16, 2).repeat_interleave(16, 3)


def eight_pairs() -> Batch:
    return Batch(
        images=pictures(),
        image_ids=torch.arange(8),
        texts=TEXTS,
        languages=LANGUAGES,
        text_image_ids=torch.arange(8),
    )


def losses_of_training(system: System, *, steps: int = 120) -> list[float]:
    """Train everything on the pairs; the loss of each step."""
    optimizer = torch.optim.Adam(system.parameters(), lr=3e-3)
    losses = []
    for _ in range(steps):
        loss = torch.stack([*system.training_step(eight_pairs()).values()]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def encoded(system: System) -> tuple[Features, Features]:
    """Pictures and texts."""
    texts = system.encode_texts(system.prepare_texts(TEXTS, LANGUAGES))
    return system.encode_images(pictures()), texts


def reached(system: System) -> set[str]:
    """Names of the parameters on which the loss of the pairs has a gradient that is not zero."""
    system.zero_grad()
    torch.stack([*system.training_step(eight_pairs()).values()]).sum().backward()
    return {n for n, p in system.named_parameters() if p.grad is not None and p.grad.any()}


def assert_it_overfits(system: System) -> None:
    losses = losses_of_training(system)
    assert losses[-1] < losses[0] / 4
    scores = system.eval().score(*encoded(system))  # (pictures, texts)
    assert scores.argmax(0).tolist() == scores.argmax(1).tolist() == list(range(8))


def assert_the_gradient_reaches_all_that_learns(system: System) -> None:
    everything = {name for name, _ in system.named_parameters()}
    assert reached(system) == everything
    system.parts()["image.backbone"].requires_grad_(False)
    assert reached(system) == {n for n in everything if not n.startswith("image.backbone.")}


def assert_a_checkpoint_brings_it_back(system: System, folder: Path) -> None:
    """The same embeddings, parts and scores, bit by bit."""
    fingerprint = save_system(system.eval(), folder, languages=["en", "de"])
    loaded = load_checkpoint(folder)
    assert (loaded.fingerprint, loaded.system.config) == (fingerprint, system.config)
    before, after = encoded(system), encoded(loaded.system)
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one.embedding, other.embedding)
        assert (one.tokens is None) == (other.tokens is None)
        assert one.tokens is None or torch.equal(one.tokens, other.tokens)
    assert torch.equal(system.score(*before), loaded.system.score(*after))
