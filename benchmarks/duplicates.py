"""How copies of pictures, and shots as of a burst, lie apart by embedding and perceptual hash.

    python benchmarks/duplicates.py FOLDER [--model mini] [--pictures 24]

Every picture is seen through a window of 84 % of its sides. A copy of that view is saved again,
scaled or cropped; a shot is the window moved, by a share of itself, as a hand moves a camera. The
thresholds of ``polyglance collection duplicates`` were chosen by these numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image
from PIL.Image import Image as Picture

from polyglance import Retriever
from polyglance.data.decode import IMAGE_SUFFIXES, open_picture
from polyglance.search.copies import BITS_APART, COSINE
from polyglance.search.perceptual_hash import distances, perceptual_hash

WINDOW, MARGIN = 0.84, 0.02


def main(
    folder: Annotated[Path, typer.Argument(help="Of photos.")],
    model: Annotated[str, typer.Option(help="Whose embeddings are compared.")] = "mini",
    pictures: Annotated[int, typer.Option(min=2, help="How many, drawn at random.")] = 24,
) -> None:
    """Print a line for each kind of variant."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
    drawn = np.random.default_rng(0).choice(len(files), min(pictures, len(files)), replace=False)
    originals = [open_picture(files[i]) for i in drawn]
    retriever = Retriever.load(model)
    views = [_window(picture) for picture in originals]
    embeddings, hashes = retriever.encode_images(views), _hashes(views)
    for name, change in VARIANTS.items():
        made = [change(picture) for picture in originals]
        cosines = (retriever.encode_images(made) * embeddings).sum(axis=1)
        bits = distances(hashes, _hashes(made))
        _print(name, cosines, bits)
    upper = np.triu_indices(len(views), 1)
    strangers = (embeddings @ embeddings.T)[upper]
    _print("strangers", strangers, distances(hashes[:, None], hashes[None])[upper])


def _print(name: str, cosines: np.ndarray, bits: np.ndarray) -> None:
    called = (cosines >= COSINE) & (bits <= BITS_APART)
    low, middle, high = np.quantile(cosines, [0.05, 0.5, 0.95])
    bits_low, bits_middle, bits_high = np.quantile(bits, [0.05, 0.5, 0.95])
    print(
        f"{name:16} cosine {low:.2f} {middle:.2f} {high:.2f} (≥ {COSINE}: "
        f"{100 * np.mean(cosines >= COSINE):3.0f} %)  bits {bits_low:4.1f} {bits_middle:4.1f} "
        f"{bits_high:4.1f} (≤ {BITS_APART}: {100 * np.mean(bits <= BITS_APART):3.0f} %)  "
        f"called copies {100 * np.mean(called):3.0f} %",
        flush=True,
    )


def _window(picture: Picture, *, aside: float = 0.0, without: float = 0.0) -> Picture:
    """The view, moved aside, or without a share of each of its sides."""
    width, height = picture.size
    wide, high = WINDOW * width, WINDOW * height
    left, top = MARGIN * width + aside * wide, MARGIN * height
    right, bottom = left + wide, top + high
    across, down = without * wide, without * high
    return picture.crop(
        (
            round(left + across),
            round(top + down),
            round(right - across),
            round(bottom - down),
        )
    )


def _saved(format_: str, quality: int) -> Callable[[Picture], Picture]:
    def change(picture: Picture) -> Picture:
        file = BytesIO()
        _window(picture).save(file, format_, quality=quality)
        return Image.open(BytesIO(file.getvalue())).convert("RGB")

    return change


def _half(picture: Picture) -> Picture:
    view = _window(picture)
    return view.resize((view.width // 2, view.height // 2), Image.Resampling.LANCZOS)


VARIANTS: dict[str, Callable[[Picture], Picture]] = {
    "JPEG 75": _saved("JPEG", 75),
    "JPEG 30": _saved("JPEG", 30),
    "WebP 50": _saved("WEBP", 50),
    "half the size": _half,
    "cropped by 1 %": lambda picture: _window(picture, without=0.01),
    "cropped by 2 %": lambda picture: _window(picture, without=0.02),
    "cropped by 5 %": lambda picture: _window(picture, without=0.05),
    "moved by 3 %": lambda picture: _window(picture, aside=0.03),
    "moved by 5 %": lambda picture: _window(picture, aside=0.05),
    "moved by 8 %": lambda picture: _window(picture, aside=0.08),
}


def _hashes(pictures: list[Picture]) -> np.ndarray:
    return np.stack([perceptual_hash(picture) for picture in pictures])


if __name__ == "__main__":
    typer.run(main)
