"""Training from cached features against training from pixels, pairs a second in one run.

Run: ``python benchmarks/training.py``

Paper 5's system with a small text encoder, and VSE++ at its own size, over a frozen ResNet-50 (its
weights random, which are as fast as trained ones), on made-up JPEG files of 224 × 224 pixels. Both
ways are trained by the same loop in turns, so that whatever else the machine does strikes both; the
ratio is of the best rounds. The time of a first run, which fills the store, is told beside it.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from polyglance.training.log import read_log
from polyglance.training.recipe import validate_recipe
from polyglance.training.run import train

PICTURES, BATCH, STEPS, ROUNDS = 128, 64, 4, 3
RESNET_50 = {
    "model_type": "resnet",
    "embedding_size": 64,
    "hidden_sizes": [256, 512, 1024, 2048],
    "depths": [3, 4, 6, 3],
    "layer_type": "bottleneck",
}


SYSTEMS: dict[str, dict[str, object]] = {
    "smooth": {
        "text": {
            "kind": "transformer",
            "tokenizer": {"vocabulary_size": 1000},
            "layers": 2,
            "width": 256,
            "heads": 4,
            "pooling": "mean",
        }
    },
    "vsepp": {},
}


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_pictures(folder)
        started = time.perf_counter()
        pace(folder, "filling", "smooth", cached=True)
        filling = time.perf_counter() - started
        print(f"frozen ResNet-50, batches of {BATCH}")
        for system in SYSTEMS:
            cached = pixels = 0.0
            for number in range(ROUNDS):
                name = f"{system}-{number}"
                cached = max(cached, pace(folder, f"{name}-cached", system, cached=True))
                pixels = max(pixels, pace(folder, f"{name}-pixels", system, cached=False))
            print(f"{system}: from pixels           {pixels:8.1f} pairs/s")
            print(
                f"{system}: from cached features  {cached:8.1f} pairs/s   {cached / pixels:.1f} ×"
            )
    print(f"a first run that fills the store: {filling:.1f} s for {PICTURES} pictures")


def make_pictures(folder: Path) -> None:
    """JPEG files that compress like photos, and their manifest."""
    random = np.random.default_rng(0)
    with (folder / "train.jsonl").open("w", encoding="utf-8") as manifest:
        for number in range(PICTURES):
            coarse = random.integers(0, 256, (28, 28, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize((224, 224), Image.Resampling.BICUBIC)
            picture.save(folder / f"{number}.jpg", quality=90)
            words = " ".join(f"w{word}" for word in random.integers(0, 500, 12))
            line = {"image": f"{number}.jpg", "captions": {"en": [words]}}
            manifest.write(json.dumps(line) + "\n")


def pace(folder: Path, name: str, system: str, *, cached: bool) -> float:
    """Pairs a second over the last steps of a short run; the first steps warm up."""
    table = {
        "name": name,
        "data": {"train": str(folder / "train.jsonl"), "features": str(folder / "features")},
        "model": {
            "system": system,
            "backbone": {"kind": "transformers", "architecture": RESNET_50},
            **SYSTEMS[system],
        },
        "training": {
            "batch_size": BATCH,
            "precision": "bf16-mixed",
            "cache_features": cached,
            "log_every": STEPS,
            "phases": [{"steps": 2 * STEPS, "frozen": ["image.backbone"]}],
        },
    }
    train(validate_recipe(table, name), folder / name, show_progress=False)
    lines = read_log(folder / name / "log.jsonl")
    return float([line for line in lines if line["event"] == "step"][-1]["pairs_per_second"])


if __name__ == "__main__":
    main()
