"""How fast paper 2's systems train and score here, each beside a plain way in the same run.

Run, on a machine without other work: ``POLYGLANCE_FLICKR8K=… python benchmarks/paper_2_speed.py``.
It writes `docs/results/paper-2-speed.json` for the page of paper 2.

- *VSE++, training*: our loop on stored features of the frozen ResNet-50, against the plain way of
  the published code, written from its description: float32, a table of all words, packed captions
  through ``torch.nn.GRU``, Adam over all weights, features in memory. Both take the captions of
  Flickr8k, in batches of 128 pairs; the plain loop has each batch ready.
- *VSE++, features*: the same loop of ours from stored features and from pixels.
- *SCAN, training*: scores, loss and gradients of a batch, against caption by caption.
- *SCAN, scoring*: 1,000 pictures with 5,000 captions, against pair by pair, and the peak of memory.

Ways take turns, and medians of their rounds are kept.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

import scan
import training
from polyglance.data.manifest import read_manifest
from polyglance.matching.stacked_cross_attention import StackedCrossAttention
from polyglance.precision import inference_precision
from polyglance.training.log import read_log
from polyglance.training.recipe import validate_recipe
from polyglance.training.run import train

BATCH, STEPS, ROUNDS = 128, 40, 3
CHANNELS, WORD, STATE, LEAST = 2048, 300, 1024, 4
MARGIN, CLIP, RATE = 0.2, 2.0, 2e-4
START, END, UNKNOWN, MARKS = 1, 2, 3, 4  # rows of the table of words; 0 fills up
OUTPUT = Path("docs/results/paper-2-speed.json")


def main() -> None:
    """Measure everything; scoring first, since memory is the peak of the process so far."""
    named = os.environ.get("POLYGLANCE_FLICKR8K")
    if not named:
        raise SystemExit("set POLYGLANCE_FLICKR8K to the folder that holds train.jsonl")
    rows = [*scan_rows(), *vsepp_rows(Path(named) / "train.jsonl")]
    for row in rows:
        told = f"{row['ours']:.4g} against {row['plain']:.4g} {row['unit']}"
        print(f"{row['what']}: {told}, {row['ratio']:.1f} ×", flush=True)
    OUTPUT.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def scan_rows() -> list[dict[str, Any]]:
    """SCAN text→image by the mean: scoring, and a training step."""
    ours = StackedCrossAttention(direction="text-to-image", inverse_temperature=9.0)
    with torch.inference_mode(), inference_precision():
        scoring = scan.seconds(lambda: scan.score_test_set(ours))
    memory = scan.peak_megabytes()
    images, texts = scan.training_batch()
    loop = scan.CaptionLoop("text-to-image")
    own, looped = [], []
    for _ in range(ROUNDS):
        own.append(scan.seconds(lambda: scan.training_step(ours, images, texts)))
        looped.append(scan.seconds(lambda: scan.training_step(loop, images, texts)))
    with torch.inference_mode():
        pair = scan.seconds(lambda: scan.pair_by_pair("text-to-image", images, texts)) / scan.PAIRS
    every = pair * scan.IMAGES * scan.CAPTIONS
    return [
        row("SCAN, scoring 1,000 × 5,000", "s", scoring, every, "pair by pair", memory=memory),
        row("SCAN, attention of a training step", "s", *medians(own, looped), "caption by caption"),
    ]


def vsepp_rows(manifest: Path) -> list[dict[str, Any]]:
    """Pairs a second of VSE++: ours, the plain way, and ours from pixels."""
    batches = plain_batches(manifest)
    model = PlainVSEpp(words=next(batches)[3])
    own, plain, cached, pixels = [], [], [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        training.make_pictures(folder)
        training.pace(folder, "filling", "vsepp", cached=True)
        for number in range(ROUNDS):
            own.append(recipe_pace(manifest, folder / f"own-{number}"))
            plain.append(plain_pace(model, batches))
            cached.append(training.pace(folder, f"{number}-cached", "vsepp", cached=True))
            pixels.append(training.pace(folder, f"{number}-pixels", "vsepp", cached=False))
    unit = "pairs/s"
    return [
        row("VSE++, training", unit, *medians(own, plain), "the published code's way"),
        row("VSE++, training", unit, *medians(cached, pixels), "without a feature store"),
    ]


def row(
    what: str, unit: str, ours: float, plain: float, beside: str, **more: float
) -> dict[str, Any]:
    """A line of the page; more is better where something is counted a second."""
    ratio = ours / plain if unit.endswith("/s") else plain / ours
    numbers = {"ours": ours, "plain": plain, "ratio": ratio, **more}
    rounded = {name: round(value, 3) for name, value in numbers.items()}
    return {
        "what": what,
        "unit": unit,
        "beside": beside,
        **rounded,
        "threads": torch.get_num_threads(),
    }


def medians(ours: list[float], plain: list[float]) -> tuple[float, float]:
    """Of either column."""
    return statistics.median(ours), statistics.median(plain)


def recipe_pace(manifest: Path, folder: Path) -> float:
    """Pairs a second of our loop at the sizes of the plain one, by its own log."""
    table = {
        "name": folder.name,
        "data": {"train": str(manifest), "languages": {"en": 1.0}},
        "model": {"system": "vsepp", "dimension": STATE},
        "training": {
            "batch_size": BATCH,
            "precision": "bf16-mixed",
            "clip_gradients": CLIP,
            "log_every": STEPS,
            "phases": [
                {
                    "steps": 2 * STEPS,
                    "frozen": ["image.backbone"],
                    "optimizer": "adam",
                    "learning_rate": RATE,
                }
            ],
        },
    }
    train(validate_recipe(table, folder.name), folder, show_progress=False)
    lines = [line for line in read_log(folder / "log.jsonl") if line["event"] == "step"]
    return float(lines[-1]["pairs_per_second"])  # of the second half; the first warms up


class PlainVSEpp(nn.Module):
    """The system as its authors publish it: one matrix, one table, one GRU.

    Args:
        words: in the table.
    """

    def __init__(self, *, words: int) -> None:
        super().__init__()
        self.image = nn.Linear(CHANNELS, STATE)
        self.words = nn.Embedding(words, WORD)
        self.gru = nn.GRU(WORD, STATE, batch_first=True)
        self.adam = torch.optim.Adam(self.parameters(), lr=RATE)

    def step(self, pictures: Tensor, captions: Tensor, lengths: Tensor) -> None:
        """One step on (batch, channels), (batch, longest) and (batch,)."""
        packed = pack_padded_sequence(self.words(captions), lengths, batch_first=True)
        states = pad_packed_sequence(self.gru(packed)[0], batch_first=True)[0]
        last = (lengths - 1)[:, None, None].expand(-1, 1, STATE)
        texts = functional.normalize(states.gather(1, last)[:, 0], dim=-1)  # (batch, state)
        images = functional.normalize(self.image(pictures), dim=-1)
        scores = images @ texts.T  # (batch, batch)
        right = scores.diagonal()
        diagonal = torch.eye(len(scores), dtype=torch.bool)
        by_image = (MARGIN + scores - right[:, None]).relu().masked_fill(diagonal, 0)
        by_text = (MARGIN + scores - right).relu().masked_fill(diagonal, 0)
        loss = by_image.amax(1).sum() + by_text.amax(0).sum()
        self.adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters(), CLIP)
        self.adam.step()


def plain_pace(model: PlainVSEpp, batches: Iterator[tuple[Tensor, Tensor, Tensor, int]]) -> float:
    """Pairs a second over as many steps as the recipe is timed on."""
    ready = [next(batches) for _ in range(STEPS)]
    started = time.perf_counter()
    for pictures, captions, lengths, _ in ready:
        model.step(pictures, captions, lengths)
    return STEPS * BATCH / (time.perf_counter() - started)


def plain_batches(manifest: Path) -> Iterator[tuple[Tensor, Tensor, Tensor, int]]:
    """Pictures' features, captions as rows of words, longest first, and how many words there are.

    Features are random, which are as fast as real ones; captions are real.
    """
    texts = [
        text.lower().split() for record in read_manifest(manifest) for text in record.captions["en"]
    ]
    counts = Counter(word for text in texts for word in text)
    kept = [word for word, count in counts.items() if count >= LEAST]
    place = {word: row for row, word in enumerate(kept, start=MARKS)}
    chosen = random.Random(0)
    features = torch.randn(BATCH, CHANNELS)
    while True:
        some = sorted(chosen.sample(texts, BATCH), key=len, reverse=True)
        rows = [
            torch.tensor([START, *(place.get(word, UNKNOWN) for word in text), END])
            for text in some
        ]
        lengths = torch.tensor([len(row) for row in rows])
        yield features, pad_sequence(rows, batch_first=True), lengths, len(kept) + MARKS


if __name__ == "__main__":
    main()
