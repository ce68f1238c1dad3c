"""Time to encode 1,000 pictures and 5,000 captions and to score all pairs, system by system.

`python benchmarks/paper_2_times.py` takes the validation photos of Flickr8k with their five English
captions, the systems of paper 2 at its 1,024 dimensions (untrained weights are as fast as trained
ones), and pictures as stored cells of the ResNet-50. Systems take turns; medians are printed and
written to `docs/results/paper-2-times.json` for the page of paper 2. Needs POLYGLANCE_FLICKR8K.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from polyglance.data.manifest import read_manifest
from polyglance.features import Features
from polyglance.precision import inference_precision
from polyglance.systems.builders import build_system
from polyglance.systems.config import (
    CharacterWordsConfig,
    CLMRConfig,
    JoinedWordsConfig,
    LearnedWordsConfig,
    NonLocal,
    RecurrentTextConfig,
    SCANConfig,
    SentenceWordsConfig,
    SystemConfig,
    VSEppConfig,
    WordsConfig,
)
from polyglance.systems.dual_encoder import DualEncoder
from polyglance.training.sources import RunSources, feature_cache

if TYPE_CHECKING:
    from torch import Tensor

    from polyglance.data.record import Record


def clmr(words: WordsConfig, non_local: NonLocal = "none") -> CLMRConfig:
    """As the page's tables have it, or with the paper's block."""
    return CLMRConfig(text=RecurrentTextConfig(words=words), non_local=non_local)


JOINED = JoinedWordsConfig(parts=(CharacterWordsConfig(), SentenceWordsConfig()))
SYSTEMS: dict[str, SystemConfig] = {
    "VSE++": VSEppConfig(),
    "CLMR": clmr(LearnedWordsConfig()),
    "LIWE": clmr(CharacterWordsConfig()),
    "LIWE with equation 1's block": clmr(CharacterWordsConfig(), "paper"),
    "LIWE + vectors": clmr(JOINED),
    "SCAN t2i": SCANConfig(),
}
BATCH, ROUNDS = 128, 3
OUTPUT = Path("docs/results/paper-2-times.json")


def main() -> None:
    """Let every system encode and score, in turns."""
    records = read_manifest(Path(os.environ["POLYGLANCE_FLICKR8K"]) / "val.jsonl")
    captions = [text for record in records for text in record.captions["en"]]
    systems = {name: built(config, captions) for name, config in SYSTEMS.items()}
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in systems}
    pictures = {name: stored(system, records) for name, system in systems.items()}
    for _ in range(ROUNDS):
        for name, system in systems.items():
            taken[name].append(timed(system, pictures[name], captions))
    rows = []
    for name, times in taken.items():
        images, texts, score = (statistics.median(column) for column in zip(*times, strict=True))
        rows.append(
            {
                "system": name,
                "pictures": round(images, 3),
                "captions": round(texts, 3),
                "score": round(score, 4),
                "threads": torch.get_num_threads(),
                "rounds": ROUNDS,
            }
        )
        print(f"{name:28} pictures {images:6.2f} s  captions {texts:6.2f} s  scores {score:7.3f} s")
    OUTPUT.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def built(config: SystemConfig, captions: list[str]) -> DualEncoder:
    """A system with fresh weights, to be used and not to be trained."""
    system = build_system(config, training_texts={"en": captions})
    assert isinstance(system, DualEncoder)  # noqa: S101 -- all of SYSTEMS are
    return system.eval().requires_grad_(False)


def stored(system: DualEncoder, records: list[Record]) -> Tensor:
    """(pictures, ...) what the frozen backbone makes of them."""
    sources = RunSources(system, records={"validation": records}, features=feature_cache())
    return sources("validation", True).load(range(len(records))).images


@torch.inference_mode()
def timed(system: DualEncoder, pictures: Tensor, captions: list[str]) -> tuple[float, float, float]:
    """Seconds for the pictures, for the captions, and for the scores of all pairs."""
    started = time.perf_counter()
    with inference_precision():
        images = joined([system.encode_images(some) for some in torch.split(pictures, BATCH)])
    encoded = time.perf_counter()
    order = sorted(range(len(captions)), key=lambda row: len(captions[row]))
    texts = []
    with inference_precision():
        for start in range(0, len(order), BATCH):
            some = [captions[row] for row in order[start : start + BATCH]]
            texts.append(system.encode_texts(system.prepare_texts(some, ["en"] * len(some))))
    read = time.perf_counter()
    score_all(system, images, texts)
    return encoded - started, read - encoded, time.perf_counter() - read


def joined(parts: list[Features]) -> Features:
    """Features of pictures one after the other."""
    tokens = [part.tokens for part in parts if part.tokens is not None]
    masks = [part.mask for part in parts if part.mask is not None]
    return Features(
        torch.cat([part.embedding for part in parts]),
        torch.cat(tokens) if tokens else None,
        torch.cat(masks) if masks else None,
    )


def score_all(system: DualEncoder, images: Features, texts: list[Features]) -> None:
    """Compare everything with everything, in blocks."""
    with inference_precision():
        for some in texts:
            for _ in system.matching.score_in_blocks(images, some):
                pass


if __name__ == "__main__":
    main()
