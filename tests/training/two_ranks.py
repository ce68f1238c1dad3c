"""What two processes compute together; run as a program, once in each of them.

Its argument is a folder, into which it writes what :mod:`tests.training.test_ranks` looks at.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
from tests.systems.tiny_clmr import TinyImages, TinyTexts, tiny_clmr
from tests.training.tiny import WORDS, TinySystem, tiny_config, tiny_pixels, tiny_records
from torch import Tensor

from polyglance.data.batch import Batch, Sentences, TextPairs
from polyglance.data.dataset import TensorSource
from polyglance.data.gathering import Gatherer
from polyglance.data.sampler import CaptionSampler
from polyglance.errors import TrainingError
from polyglance.losses.catalogue import LOSSES
from polyglance.matching.cosine import CosineMatching
from polyglance.systems.base import System
from polyglance.systems.builders import build_system
from polyglance.systems.config import (
    FeiConfig,
    LearnedWordsConfig,
    MaxOfHingesConfig,
    Part,
    PrecomputedConfig,
    RecurrentTextConfig,
    SCANConfig,
    SingleStreamConfig,
    TokenizerConfig,
    TrunkConfig,
    VisualConfig,
)
from polyglance.systems.dual_encoder import DualEncoder
from polyglance.training.loop import Trainer
from polyglance.training.ranks import Ranks
from polyglance.training.step import Given, TrainingStep
from polyglance.training.validation import Validator

RANKS, PICTURES, REGIONS, CHANNELS = 2, 7, 4, 8
CAPTIONS = [f"a word{n} that stands before another{n % 3}" + " far away" * n for n in range(9)]
GERMAN = [f"ein wort{n} und noch eines" for n in range(5)]
STREAM = SingleStreamConfig(
    trunk=TrunkConfig(
        tokenizer=TokenizerConfig(vocabulary_size=350, min_frequency=1),
        layers=1,
        width=16,
        heads=2,
        dropout=0.0,
        max_length=40,
    ),
    visual=VisualConfig(frequencies=2, dropout=0.0),
    languages=("en", "de"),
)
STEPS, STOP_AT = 8, 4
LENGTH = 20  # a multiple of all captions' lengths
PHASES = [{"steps": STEPS, "learning_rate": 0.01, "frozen": ["image.backbone"]}]


def whole_batch(images: Tensor) -> Batch:
    """Seven pictures, two of them with two captions; one caption is that of another picture too."""
    of_text = torch.tensor([0, 0, 1, 2, 3, 3, 4, 5, 6])
    return Batch(
        images=images,
        image_ids=torch.arange(PICTURES) + 100,
        texts=CAPTIONS,
        languages=["en"] * 9,
        text_image_ids=of_text + 100,
        also=torch.tensor([[2, 106], [8, 101]]),  # pictures 1 and 6, of different ranks
        parallel=(pairs("de", 5), pairs("cs", 1)),
        monolingual=Sentences(GERMAN, ["de"] * 5),
    )


def pairs(language: str, count: int) -> TextPairs:
    return TextPairs(
        pivots=CAPTIONS[:count],
        translations=GERMAN[:count],
        pivot_language="en",
        language=language,
        pivot_ids=torch.tensor([0, 1, 2, 0, 3])[:count],  # of different ranks
        translation_ids=torch.arange(count),
    )


def share(batch: Batch, rank: int) -> Batch:
    """As the samplers share it out: picture by picture, sentence by sentence."""
    rows = torch.arange(PICTURES) % RANKS == rank
    ids = batch.image_ids[rows]
    kept = [n for n, one in enumerate(batch.text_image_ids.tolist()) if one in ids.tolist()]
    assert batch.also is not None
    assert batch.monolingual is not None
    also = [[kept.index(row), other] for row, other in batch.also.tolist() if row in kept]
    sentences = batch.monolingual.texts[rank::RANKS]
    return replace(
        batch,
        images=batch.images[rows],
        image_ids=ids,
        texts=[batch.texts[n] for n in kept],
        languages=["en"] * len(kept),
        text_image_ids=batch.text_image_ids[kept],
        also=torch.tensor(also) if also else None,
        parallel=tuple(p.rows(range(rank, len(p.pivots), RANKS)) for p in batch.parallel),
        monolingual=Sentences(sentences, ["de"] * len(sentences)),
    )


def systems() -> Iterator[tuple[str, System, Tensor]]:
    """Name, system without dropout, and its pictures."""
    random = torch.Generator().manual_seed(1)
    pooled = torch.randn(PICTURES, CHANNELS, generator=random, dtype=torch.float64)
    regions = torch.randn(PICTURES, REGIONS, CHANNELS, generator=random)
    for name, loss in LOSSES.items():
        torch.manual_seed(0)
        dual = DualEncoder(
            image=TinyImages(),  # type: ignore[arg-type]
            text=TinyTexts(),
            matching=CosineMatching(),
            loss=loss(),
            config=Part(),
            towers={},
        )
        yield name, dual.double(), pooled
    yield "clmr", tiny_clmr().double(), pooled
    chunked = tiny_clmr().double()
    chunked.chunk_size = 2
    yield "clmr in chunks", chunked, pooled
    backbone = PrecomputedConfig(channels=CHANNELS, regions=REGIONS)
    words = LearnedWordsConfig(min_frequency=1, dimension=8)
    text = RecurrentTextConfig(words=words, hidden_size=12, bidirectional=True)
    torch.manual_seed(0)
    scan = SCANConfig(dimension=12, backbone=backbone, text=text)
    yield "scan", build_system(scan, training_texts={"en": CAPTIONS}), regions
    torch.manual_seed(0)
    co_trained = scan.model_copy(update={"text_loss": MaxOfHingesConfig()})
    read = [*CAPTIONS, *GERMAN]
    yield "scan on translations", build_system(co_trained, training_texts={"en": read}), regions
    for name, options in {
        "retrieval": {"objective": "retrieval"},
        "mined": {"objective": "retrieval", "mined": 1},
        "alignment": {"objective": "alignment"},
        "pretraining": {"objective": "pretraining"},
    }.items():
        torch.manual_seed(0)
        config = FeiConfig.model_validate(
            {**options, "backbone": backbone, "stream": STREAM, "tasks": {"mrc": 0}}
        )
        yield (
            f"fei {name}",
            build_system(config, training_texts={"en": [*CAPTIONS, *GERMAN]}),
            regions,
        )


DRAWS = ("fei pretraining", "fei mined")
"""Systems whose step draws at random, each rank for itself."""


def gradients(system: System) -> dict[str, Tensor]:
    return {n: p.grad.clone() for n, p in system.named_parameters() if p.grad is not None}


def alone(system: System, batch: Batch) -> dict[str, Tensor]:
    system = deepcopy(system)
    system.gatherer = Gatherer()
    torch.stack([*system.training_step(batch).values()]).sum().backward()
    return gradients(system)


def difference(name: str, system: System, images: Tensor, ranks: Ranks) -> dict[str, float | int]:
    """How far two ranks' gradients are from those that they should be, at the most."""
    batch = whole_batch(images)
    if name in DRAWS:  # the mean of each share's own, with its own words hidden, or its own pairs
        each = []
        for rank in range(RANKS):
            torch.manual_seed(rank)
            each.append(alone(system, share(batch, rank)))
        expected = {key: sum(one[key] for one in each) / RANKS for key in each[0]}
    else:
        expected = alone(system, batch)
    system.gatherer = ranks.gatherer()
    model = ranks.fabric.setup(TrainingStep(system))
    torch.manual_seed(ranks.rank)
    before = deepcopy(system.state_dict())
    for _ in range(2):  # that some parts get no gradient must not hang the second step
        system.load_state_dict(before)
        system.zero_grad()
        state = torch.get_rng_state()
        terms = model(Given(share(batch, ranks.rank)))
        ranks.fabric.backward(torch.stack([*terms.values()]).sum())
        torch.set_rng_state(state)
    found = gradients(system)
    assert found.keys() == expected.keys(), found.keys() ^ expected.keys()
    largest = max(float(one.abs().max()) for one in expected.values())
    apart = max(float((found[key] - one).abs().max()) for key, one in expected.items())
    untouched = sum(p.grad is None for p in system.parameters())
    return {"relative": apart / largest, "largest": largest, "untouched": untouched}


class SteadySystem(TinySystem):
    """Its embedding of a text does not depend on the others of the batch."""

    def prepare_texts(self, texts: Sequence[str], languages: Sequence[str]) -> dict[str, Tensor]:
        ids = [[sum(word.encode()) % WORDS for word in text.split()] for text in texts]
        return {"ids": torch.tensor([row * (LENGTH // len(row)) for row in ids])}


def trainer(
    folder: Path, ranks: Ranks | None, *, dropout: float = 0.1, validate: bool = False
) -> tuple[Trainer, TinySystem]:
    config = tiny_config(phases=PHASES, evaluate_every=3)
    torch.manual_seed(config.seed)
    system = SteadySystem(dropout=dropout)
    records, pixels = tiny_records(20), tiny_pixels(20)
    share = {} if ranks is None else {"rank": ranks.rank, "world_size": ranks.world_size}
    made = Trainer(
        system,
        config=config,
        sampler=CaptionSampler(records, batch_size=8, seed=3, **share),
        sources=lambda _split, _frozen: TensorSource(pixels),
        validator=Validator(records, languages=["en", "de"]) if validate else None,
        folder=folder,
        ranks=ranks,
        show_progress=False,
    )
    return made, system


def fit(
    folder: Path,
    ranks: Ranks,
    *,
    dropout: float = 0.1,
    validate: bool = False,
    before_step: Callable[[Trainer], object] = lambda _: None,
) -> TinySystem:
    made, system = trainer(folder, ranks, dropout=dropout, validate=validate)
    system.before_step = lambda: before_step(made)
    made.fit()
    return system


def stop(made: Trainer) -> None:
    """Only the second process is asked to."""
    if made.progress.step + 1 == STOP_AT and made._ranks.rank == 1:
        os.kill(os.getpid(), signal.SIGINT)


def fail(made: Trainer) -> None:
    if made.progress.step == 1 and made._ranks.rank == 1:
        raise TrainingError("the disk of this one is full")


def main(folder: Path) -> None:
    ranks = Ranks(tiny_config(devices=RANKS, accelerator="cpu"))
    told: dict[str, object] = {}
    told["gradients"] = {
        name: difference(name, system, images, ranks) for name, system, images in systems()
    }
    whole = fit(folder / "whole", ranks, validate=True)
    fit(folder / "parts", ranks, before_step=stop)
    resumed = fit(folder / "parts", ranks)
    one, other = whole.state_dict(), resumed.state_dict()
    told["different"] = [name for name in one if not torch.equal(one[name], other[name])]
    alike = ranks.everybodys({name: tensor.sum().item() for name, tensor in one.items()})
    told["ranks agree"] = alike[0] == alike[1]
    fit(folder / "plain", ranks, dropout=0.0, before_step=stop)
    if ranks.is_first:
        (folder / "told.json").write_text(json.dumps(told), "utf-8")
    with ranks.together():
        fit(folder / "failing", ranks, before_step=fail)


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        main(Path(sys.argv[1]))
    except TrainingError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
