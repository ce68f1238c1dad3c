"""A folder of 100,000 photos: filling a collection, again with nothing new, and with some changes.

    python benchmarks/large_folder.py PHOTOS [--files 100000]

PHOTOS, a folder of JPEGs, are written into a scratch folder again and again, each copy with bytes
of its own behind the picture, so that none has the contents of another. What encodes them is a
random projection of 16 × 16 pixels: everything but a model's own time is measured, the index over
the embeddings included. Each run is a process of its own, which has the system's file cache.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from polyglance.search.indexer import index
from polyglance.vision.preprocessing import Preprocessing
from resampled import unit
from search import in_a_process, peak_mb

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE, DIMENSION = 16, 512
A_FOLDER = 1000  # files
FEW = 100


def main(
    photos: Annotated[Path, typer.Argument(help="A folder of JPEGs.")],
    files: Annotated[int, typer.Option(min=10 * A_FOLDER)] = 100_000,
) -> None:
    """Print what each run came to."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, collection = Path(scratch) / "photos", Path(scratch) / "collection"
        fill(folder, photos, files)
        told("everything new", in_a_process(indexed, folder, collection))
        told("nothing new", in_a_process(indexed, folder, collection))
        change(folder)
        told("some changes", in_a_process(indexed, folder, collection))


def fill(folder: Path, photos: Path, files: int) -> None:
    """Copy ``photos`` until there are so many, a thousand a subfolder, all different."""
    contents = [photo.read_bytes() for photo in sorted(photos.glob("*.jpg"))]
    for number in range(files):
        subfolder = folder / f"{number // A_FOLDER:03}"
        if number % A_FOLDER == 0:
            subfolder.mkdir(parents=True)
        content = contents[number % len(contents)] + number.to_bytes(4, "big")
        (subfolder / f"IMG_{number:06}.jpg").write_bytes(content)


def change(folder: Path) -> None:
    """A hundred photos change, a hundred go, and a tenth of the folders move."""
    some = sorted(min(folder.iterdir()).iterdir())
    for photo in some[:FEW]:
        photo.write_bytes(photo.read_bytes() + b"x")
    for photo in some[FEW : 2 * FEW]:
        photo.unlink()
    moved = folder / "moved"
    moved.mkdir()
    for subfolder in sorted(folder.glob("[0-9]*"))[1::10]:
        subfolder.rename(moved / subfolder.name)


def indexed(folder: Path, collection: Path) -> dict[str, Any]:
    """Index once; seconds, megabytes at most, and what was done."""
    started = time.perf_counter()
    encoder: Any = Projection()  # an Encoder but for heat maps, which nobody asks for
    summary = index(folder, collection, encoder=encoder, show_progress=False)
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "most_mb": round(peak_mb()),
        "indexed": summary.indexed,
        "unchanged": summary.unchanged,
        "moved": summary.moved,
        "removed": summary.removed,
    }


def told(what: str, found: dict[str, Any]) -> None:
    """One line a run."""
    print(f"{what:>14}: " + ", ".join(f"{key} {value:,}" for key, value in found.items()))


class Projection:
    """Embeds a picture as a random projection of its pixels, and a text as random numbers."""

    name, fingerprint, dimension = "projection", "0" * 56, DIMENSION
    languages = ("en",)
    preprocessing = Preprocessing(size=SIDE)

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self._matrix = random.standard_normal((3 * SIDE**2, DIMENSION)).astype(np.float32)

    def require_embeddings(self) -> None:
        """It has them."""

    def encode_pixels(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """(pictures, 3, 16, 16) → (pictures, dimension) of unit length."""
        return unit(pixels.reshape(len(pixels), -1).astype(np.float32) @ self._matrix)

    def encode_texts(
        self,
        texts: Sequence[str],
        *,
        language: str | Sequence[str] | None = None,  # noqa: ARG002 -- all are alike
    ) -> NDArray[np.float32]:
        """(texts, dimension) of unit length."""
        random = np.random.default_rng(len(texts))
        return unit(random.standard_normal((len(texts), DIMENSION)).astype(np.float32))


if __name__ == "__main__":
    typer.run(main)
