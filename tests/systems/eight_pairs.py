"""Eight pictures of four coloured quarters and a caption each, to be learned by heart."""

from __future__ import annotations

import torch
from torch import Tensor

from polyglance.data.batch import Batch
from polyglance.features import Features
from polyglance.systems.base import System

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
