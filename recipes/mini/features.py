"""Step 2: run the frozen towers once over every picture and every text.

    POLYGLANCE_FLICKR8K=… POLYGLANCE_MULTI30K_TEXT=… python recipes/mini/features.py runs/mini

Nine views of each training photo are kept: as it is, and eight random crops, mirrored half of the
time (without them the heads overfit within a few epochs). About twenty minutes on two cores for
the pictures and five for the texts; what is done already is not done again.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from store import CAPTIONED, folder_of, pick_device
from torch import Tensor
from torch.nn import functional

from polyglance.data.text import normalise_text
from polyglance.systems.config import MiniConfig
from polyglance.text.ngrams import hash_ngrams
from polyglance.text.sentence_encoder import SentenceEncoder
from polyglance.vision.base import Backbone
from polyglance.vision.inference import freeze
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.pretrained import load_tower

VIEWS = 9
BATCH = 64
CONFIG = MiniConfig()


def main(work: Path) -> None:
    """Write ``texts.*`` and ``pictures.*``."""
    photos = folder_of("POLYGLANCE_FLICKR8K")
    records = {split: read_jsonl(photos / f"{split}.jsonl") for split in ("train", "val")}
    if not (work / "texts.npz").exists():
        embed_texts(work, records)
    device = pick_device()
    tower = freeze(load_tower("resnet50"), dtype=torch.bfloat16).to(device)
    if not (work / "components.npz").exists():
        components(work, tower, pixels_of(photos, records["train"]), device)
    fixed = np.load(work / "components.npz")
    origin, axes = (torch.from_numpy(fixed[name]).to(device) for name in ("origin", "components"))
    for split, views in (("val", 1), ("train", VIEWS)):
        for view in range(views):
            path = work / f"pictures.{split}.{view}.npz"
            if path.exists():
                continue
            started = time.perf_counter()
            pixels = pixels_of(photos, records[split])
            arrays = view_features(tower, pixels, view, origin, axes, device)
            np.savez(work / "part.npz", allow_pickle=False, **arrays)
            (work / "part.npz").rename(path)  # whole or not at all
            print(f"{path.name}: {time.perf_counter() - started:.0f} s", flush=True)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """One record a line."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def embed_texts(work: Path, records: dict[str, list[dict[str, Any]]]) -> None:
    """Every caption, parallel sentence and word of the lexicon, each text on its own."""
    texts: set[str] = set()
    for record in records["train"] + records["val"]:
        for language in CAPTIONED:
            texts.update(record["captions"].get(language, []))
        texts.update(record.get("parallel", {}).values())
    multi30k = folder_of("POLYGLANCE_MULTI30K_TEXT")
    for language in ("en", "cs", "de", "fr"):
        lines = (multi30k / f"train.{language}.txt").read_text("utf-8").splitlines()
        texts.update(line.strip() for line in lines)
    lexicon = json.loads((work / "lexicon.json").read_text("utf-8"))
    for entries in lexicon["words"].values():
        for word, glosses in entries.items():
            texts.update([word, *glosses])
    for names in lexicon["classes"]:
        for found in names.values():
            texts.update(found)
            texts.update(name.lower() for name in found)
    ordered = sorted({normalise_text(text) for text in texts if text}, key=lambda t: (len(t), t))
    print(f"{len(ordered)} texts", flush=True)
    with ProcessPoolExecutor() as pool:
        chunks = [ordered[start : start + 2000] for start in range(0, len(ordered), 2000)]
        sentences = np.concatenate(list(pool.map(embed_chunk, chunks)))
        hashed = [row for rows in pool.map(hash_chunk, chunks) for row in rows]
    offsets = np.cumsum([0, *map(len, hashed)])
    buckets = np.concatenate([np.asarray(row, np.int32) for row in hashed])
    (work / "texts.json").write_text(json.dumps(ordered, ensure_ascii=False), "utf-8")
    np.savez(work / "texts.npz", sentences=sentences, buckets=buckets, offsets=offsets)


def embed_chunk(texts: list[str]) -> NDArray[np.float16]:
    """In a worker process of its own."""
    return SentenceEncoder.load(threads=1).embed(texts).astype(np.float16)


def hash_chunk(texts: list[str]) -> list[list[int]]:
    """In a worker process of its own."""
    return [hash_ngrams(text, buckets=CONFIG.buckets) for text in texts]


def pixels_of(photos: Path, records: list[dict[str, Any]]) -> Iterator[Tensor]:
    """Batches (batch, 3, 224, 224) uint8."""
    fit = Preprocessing()
    for start in range(0, len(records), BATCH):
        rows = records[start : start + BATCH]
        arrays = [fit(Image.open(photos / row["image"]).convert("RGB")) for row in rows]
        yield torch.from_numpy(np.stack(arrays))


@torch.no_grad()
def components(work: Path, tower: Backbone, pixels: Iterator[Tensor], device: torch.device) -> None:
    """Principal components of the square-rooted cells, over every training photo."""
    count, total = 0, torch.zeros(tower.channels, device=device, dtype=torch.float64)
    second = torch.zeros(tower.channels, tower.channels, device=device, dtype=torch.float64)
    for batch in pixels:
        cells = tower(batch.to(device)).grid.clamp(min=0).sqrt().flatten(2)
        cells = cells.transpose(1, 2).flatten(0, 1)  # (cells, channels)
        count, total = count + len(cells), total + cells.double().sum(0)
        second += (cells.T @ cells).double()
    origin = total / count
    _, vectors = torch.linalg.eigh(second / count - origin[:, None] * origin[None])
    axes = vectors.flip(1)[:, : CONFIG.components]
    np.savez(
        work / "components.npz",
        origin=origin.float().cpu().numpy(),
        components=axes.float().cpu().numpy(),
    )


@torch.no_grad()
def view_features(
    tower: Backbone,
    pixels: Iterator[Tensor],
    view: int,
    origin: Tensor,
    axes: Tensor,
    device: torch.device,
) -> dict[str, NDArray[np.float16]]:
    """Reduced grids, logits and pooled vectors of one view."""
    generator = torch.Generator().manual_seed(view)
    kept: dict[str, list[Tensor]] = {"cells": [], "logits": [], "pooled": []}
    for batch in pixels:
        shown = random_crop(batch, generator) if view else batch
        grid = tower(shown.to(device)).grid
        pooled = grid.mean((2, 3))
        cells = grid.flatten(2).transpose(1, 2).clamp(min=0).sqrt()
        kept["cells"].append(((cells - origin) @ axes).half().cpu())
        kept["logits"].append(tower.classify(pooled).half().cpu())
        kept["pooled"].append(pooled.half().cpu())
    return {name: torch.cat(parts).numpy() for name, parts in kept.items()}


def random_crop(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """45 to 100 % of the area, aspect bent by up to e^±0.2, mirrored, brighter or darker."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(pixels), generator=generator)

    scale, bend = uniform(0.45, 1).sqrt(), uniform(-0.2, 0.2).exp()
    width, height = (scale * bend).clamp(max=1), (scale / bend).clamp(max=1)
    place = torch.zeros(len(pixels), 2, 3)
    place[:, 0, 0] = width * torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    place[:, 0, 2] = uniform(-1, 1) * (1 - width)
    place[:, 1, 1] = height
    place[:, 1, 2] = uniform(-1, 1) * (1 - height)
    lattice = functional.affine_grid(place, list(pixels.shape), align_corners=False)
    cropped = functional.grid_sample(
        pixels.float(), lattice, padding_mode="reflection", align_corners=False
    )
    light = uniform(0.8, 1.2)[:, None, None, None]
    return (cropped * light).clamp(0, 255).round().to(torch.uint8)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
