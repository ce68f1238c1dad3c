"""A model and its exports, side by side: start, speed, and what eight bits cost in recall.

Run: ``python benchmarks/onnx_graphs.py MANIFEST [--model mini] [--pictures 300] [--rounds 5]``

Exports the model in float32 and in int8, whose ranges come from pictures that are not measured on.
Then, in turns: a new process until its first embedding of a query; queries one by one; pictures in
batches of 16, on one thread. Last, text→image recall@1 and @10 over the manifest's pictures, with
every caption of every language of the model's that has any.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from polyglance.data.manifest import read_manifest
from polyglance.onnx.export import export
from polyglance.search.encoder import load_encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyglance.data.record import Record
    from polyglance.search.encoder import Encoder

RANGES = 64
BATCH = 16
FIRST_ANSWER = """
import sys
from polyglance.search.encoder import load_encoder
load_encoder(sys.argv[1]).encode_texts(["ein Hund im Schnee"], language="de")
"""


def main() -> None:
    """Export, then let all take turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    records = read_manifest(asked.manifest)
    measured, others = records[: asked.pictures], records[asked.pictures :][:RANGES]
    ranges = [record.image for record in others if record.image is not None]
    with tempfile.TemporaryDirectory() as scratch:
        places = {"model": asked.model, "float32": f"{scratch}/float32", "int8": f"{scratch}/int8"}
        export(asked.model, Path(places["float32"]))
        export(asked.model, Path(places["int8"]), pictures=ranges, int8=True)
        for name in ("float32", "int8"):
            size = sum(path.stat().st_size for path in Path(places[name]).iterdir())
            print(f"{name}: {size / 1e6:.0f} MB")
        encoders = {name: load_encoder(place) for name, place in places.items()}
        report("first embedding of a query, new process, s", asked.rounds, starts(places))
        report("a query, ms", asked.rounds, queries(encoders, measured))
        pixels = read(encoders["model"], measured)
        report("pictures a second, one thread", asked.rounds, batches(encoders, pixels))
        for name, encoder in encoders.items():
            print(f"{name}: {recalls(encoder, measured, pixels)}")


def report(what: str, rounds: int, ways: dict[str, Callable[[], float]]) -> None:
    """Medians over rounds in which all take turns."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            found[name].append(run())
    told = ", ".join(f"{name} {statistics.median(each):.4g}" for name, each in found.items())
    print(f"{what}: {told}")


def starts(places: dict[str, str]) -> dict[str, Callable[[], float]]:
    """Seconds of a process each."""

    def start(place: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", FIRST_ANSWER, place], check=True)
        return time.perf_counter() - began

    return {name: lambda place=place: start(place) for name, place in places.items()}  # type: ignore[misc]


def queries(encoders: dict[str, Encoder], records: list[Record]) -> dict[str, Callable[[], float]]:
    """Milliseconds a caption."""
    texts = [captions[0] for record in records[:50] for captions in record.captions.values()]

    def ask(encoder: Encoder) -> float:
        began = time.perf_counter()
        for text in texts:
            encoder.encode_texts([text])
        return (time.perf_counter() - began) / len(texts) * 1000

    return {name: lambda each=each: ask(each) for name, each in encoders.items()}  # type: ignore[misc]


def batches(
    encoders: dict[str, Encoder], pixels: NDArray[np.uint8]
) -> dict[str, Callable[[], float]]:
    """Pictures a second, of those that fill batches."""
    import torch

    torch.set_num_threads(1)
    few = pixels[: 4 * BATCH]

    def encode(encoder: Encoder) -> float:
        began = time.perf_counter()
        for at in range(0, len(few), BATCH):
            encoder.encode_pixels(few[at : at + BATCH])
        return len(few) / (time.perf_counter() - began)

    return {name: lambda each=each: encode(each) for name, each in encoders.items()}  # type: ignore[misc]


def read(encoder: Encoder, records: list[Record]) -> NDArray[np.uint8]:
    """(pictures, 3, size, size)."""
    from polyglance.data.decode import open_picture

    fit = encoder.preprocessing
    paths = [record.image for record in records if record.image is not None]
    return np.stack([fit(open_picture(path, target_size=fit.decode_size)) for path in paths])


def recalls(encoder: Encoder, records: list[Record], pixels: NDArray[np.uint8]) -> str:
    """Language → recall@1 and @10, ties against the model."""
    images = np.concatenate(
        [encoder.encode_pixels(pixels[at : at + BATCH]) for at in range(0, len(pixels), BATCH)]
    )
    told = []
    for tag in encoder.languages:
        asked = [
            (row, text)
            for row, record in enumerate(records)
            for text in record.captions.get(tag, ())
        ]
        if not asked:
            continue
        rows = np.array([row for row, _ in asked])
        scores = encoder.encode_texts([text for _, text in asked], language=tag) @ images.T
        own = scores[np.arange(len(rows)), rows]
        ranks = (scores >= own[:, None]).sum(1)  # (captions,)
        told.append(f"{tag} {100 * (ranks <= 1).mean():.1f}/{100 * (ranks <= 10).mean():.1f}")
    return ", ".join(told)


if __name__ == "__main__":
    main()
