"""Coloured squares, and a recipe that trains on them in seconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220)}
GERMAN = {"red": "rot", "green": "grün", "blue": "blau"}
RECIPE = """
[data]
train = "${TINY}/train.jsonl"
validation = "${TINY}/val.jsonl"
[model]
system = "dual-encoder"
dimension = 16
loss = { kind = "info_nce" }
[model.image]
kind = "pooled"
[model.image.backbone]
kind = "transformers"
size = 32
[model.image.backbone.architecture]
model_type = "resnet"
embedding_size = 8
hidden_sizes = [8, 16]
depths = [1, 1]
layer_type = "basic"
[model.text]
kind = "recurrent"
words = { kind = "learned", min_frequency = 1, dimension = 12 }
hidden_size = 16
[training]
batch_size = 8
log_every = 1
clip_gradients = 2.0
[[training.phases]]
epochs = 2
learning_rate = 0.01
frozen = ["image.backbone"]
[[training.phases]]
epochs = 2
learning_rate = 0.003
"""


def write_squares(folder: Path) -> Path:
    """Write pictures with captions in two languages, one of them broken; returns the recipe.

    The recipe finds them where the environment variable ``TINY`` says.
    """
    generator = np.random.default_rng(0)
    for split, count in (("train", 24), ("val", 9)):
        lines = []
        for n in range(count):
            name, colour = list(COLOURS.items())[n % 3]
            noise = generator.integers(-25, 25, (40, 40, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            path = folder / f"{split}{n}.png"
            Image.fromarray(pixels).save(path)
            captions = {"en": [f"a {name} square {n}"], "de": [f"ein Quadrat in {GERMAN[name]}"]}
            lines.append(json.dumps({"image": path.name, "captions": captions}))
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "train5.png").write_bytes(b"broken")
    recipe = folder / "colours.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    return recipe
