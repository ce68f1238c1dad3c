"""Two processes that train a system over translations have the gradients of one.

The processes are threads with a copy of the system each, whose tensors are exchanged as they are:
gradients flow into both copies, as gathering between real processes sends them.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from threading import Barrier, Thread
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.systems.tiny_translated import SOURCES, TARGETS, Config, built, tiny
from torch import Tensor

from polyglance.data import gathering
from polyglance.data.batch import Batch, Translated
from polyglance.data.gathering import RankGatherer
from polyglance.systems.config import (
    BarlowTwinsConfig,
    CL2CMConfig,
    DistilledConfig,
    InfoNCEConfig,
    MaxOfHingesConfig,
    NRCCRConfig,
)
from polyglance.systems.translated import TranslationLearner

OF_PAIRS = [3, 3, 5, 7, 9, 11]  # pictures; the first rank has 3 and 5, the second the others
TEXTS = [[*SOURCES, "a man"], [*TARGETS, "ein Mann dort"], [*SOURCES, "one man"]]


class Exchange:
    """What two threads show each other, call by call."""

    def __init__(self) -> None:
        self._shown: list[Tensor | None] = [None, None]
        self._barrier = Barrier(2, timeout=30)

    def __call__(self, rank: int, tensor: Tensor) -> list[Tensor]:
        self._shown[rank] = tensor
        self._barrier.wait()
        each = [*self._shown]
        self._barrier.wait()
        return each  # type: ignore[return-value]


class ThreadGatherer(RankGatherer):
    def __init__(self, rank: int, exchange: Exchange) -> None:
        super().__init__(SimpleNamespace(rank=rank))  # type: ignore[arg-type]
        self._rank, self._exchange = rank, exchange

    def _counts(self, device: torch.device, *own: int) -> Tensor:
        return torch.stack(self._exchange(self._rank, torch.tensor(own)))

    def _gathered(self, tensor: Tensor, rows: Any) -> Tensor:
        return torch.cat(self._exchange(self._rank, tensor))


def whole(*, back: bool) -> Batch:
    ids, distinct = torch.tensor(OF_PAIRS), torch.tensor([3, 5, 7, 9, 11])
    generator = torch.Generator().manual_seed(1)
    shape = 5, 3, 32, 32
    return Batch(
        images=torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8),
        image_ids=distinct,
        texts=[*TEXTS[0], *TEXTS[1]],
        languages=["en"] * 6 + ["de"] * 6,
        text_image_ids=torch.cat([ids, ids]),
        also=torch.tensor([[1, 9], [10, 5]]),  # a source and a target, of pictures elsewhere
        translated=Translated(
            TEXTS[0], TEXTS[1], "en", ["de"] * 6, ids, back=TEXTS[2] if back else None
        ),
    )


def share(batch: Batch, rank: int, *, back: bool) -> Batch:
    pairs = slice(0, 3) if rank == 0 else slice(3, 6)
    images = slice(0, 2) if rank == 0 else slice(2, 5)
    ids = torch.tensor(OF_PAIRS)[pairs]
    some = [texts[pairs] for texts in TEXTS]
    return replace(
        batch,
        images=batch.images[images],
        image_ids=batch.image_ids[images],
        texts=[*some[0], *some[1]],
        languages=["en"] * 3 + ["de"] * 3,
        text_image_ids=torch.cat([ids, ids]),
        also=torch.tensor([[1, 9]]) if rank == 0 else torch.tensor([[4, 5]]),
        translated=Translated(
            some[0], some[1], "en", ["de"] * 3, ids, back=some[2] if back else None
        ),
    )


def together(system: TranslationLearner, shares: list[Batch]) -> list[Tensor]:
    """The mean over two copies of the gradients that both their losses give each."""
    exchange, terms = Exchange(), [{}, {}]
    copies = [deepcopy(system) for _ in shares]

    def step(rank: int) -> None:
        copies[rank].gatherer = ThreadGatherer(rank, exchange)
        terms[rank] = copies[rank].training_step(shares[rank])

    threads = [Thread(target=step, args=(rank,)) for rank in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    losses = torch.stack([term for each in terms for term in each.values()])
    losses.sum().backward()
    both = zip(*(copy.parameters() for copy in copies), strict=True)
    zeros = torch.zeros_like
    return [
        (zeros(one) if one.grad is None else one.grad) / 2
        + (zeros(two) if two.grad is None else two.grad) / 2
        for one, two in both
    ]


@pytest.fixture(autouse=True)
def ranks_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering.distributed, "get_rank", lambda group: group.rank)


CASES: dict[str, tuple[type[Config], dict[str, Any]]] = {
    "nrccr": (NRCCRConfig, {"loss": MaxOfHingesConfig()}),
    "cl2cm": (CL2CMConfig, {"loss": InfoNCEConfig()}),
    "cl2cm, trusting": (CL2CMConfig, {"loss": InfoNCEConfig(), "trusted_rank": 2}),
    "cl2cm, trusting embeddings": (
        CL2CMConfig,
        {"loss": BarlowTwinsConfig(), "trusted_rank": 3, "teacher": "shared"},
    ),
    "cl2cm, shared": (CL2CMConfig, {"teacher": "shared"}),
    "distilled": (DistilledConfig, {"loss": BarlowTwinsConfig()}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("back", ["both", "one", "none"])
def test_two_have_the_gradients_of_one(case: str, back: str) -> None:
    config, keys = CASES[case]
    system = built(tiny(config, **keys)).double().eval()
    batch = whole(back=back != "none")
    shares = [share(batch, rank, back=back == "both") for rank in (0, 1)]
    if back == "one":  # the first has some and the second takes its sources
        shares[0] = share(batch, 0, back=True)
        assert batch.translated is not None
        texts = [*TEXTS[2][:3], *TEXTS[0][3:]]
        batch = replace(batch, translated=replace(batch.translated, back=texts))
    found = together(system, shares)
    terms = torch.stack([*system.training_step(batch).values()])
    terms.sum().backward()
    for one, parameter in zip(found, system.parameters(), strict=True):
        expected = torch.zeros_like(one) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(one, expected)
    assert system.trains_together
