"""Made-up scenes, what becomes of a picture when it is saved again, and the shots of a burst."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = (240, 180)
Change = Callable[[Image.Image], Image.Image]


def scene(seed: int) -> Image.Image:
    """Soft clouds of colour with a dozen things before them; larger than what is shown of it."""
    random = np.random.default_rng(seed)
    width, height = round(SIZE[0] * 1.25), round(SIZE[1] * 1.25)
    clouds = random.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    picture = Image.fromarray(clouds).resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        left, top = random.uniform(0, 0.9, 2) * (width, height)
        wide, high = random.uniform(0.08, 0.3, 2) * (width, height)
        box = (left, top, left + wide, top + high)
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        (draw.ellipse if random.random() < 0.5 else draw.rectangle)(box, fill=colour)
    return picture.filter(ImageFilter.GaussianBlur(1))


def shot(picture: Image.Image, aside: float = 0.0) -> Image.Image:
    """What a camera sees of a scene, turned aside by this share of its view."""
    left = round(0.1 * SIZE[0] + aside * SIZE[0])
    top = round(0.1 * SIZE[1])
    return picture.crop((left, top, left + SIZE[0], top + SIZE[1]))


def saved_as(format_: str, **options: int) -> Change:
    def change(picture: Image.Image) -> Image.Image:
        file = BytesIO()
        picture.save(file, format_, **options)
        return Image.open(BytesIO(file.getvalue())).convert("RGB")

    return change


def scaled(by: float) -> Change:
    return lambda picture: picture.resize(
        (round(picture.width * by), round(picture.height * by)), Image.Resampling.LANCZOS
    )


def cropped(share: float) -> Change:
    """Without this share of each side."""
    return lambda picture: picture.crop(
        (
            round(share * picture.width),
            round(share * picture.height),
            round((1 - share) * picture.width),
            round((1 - share) * picture.height),
        )
    )


COPIES: dict[str, Change] = {
    "jpeg 75": saved_as("JPEG", quality=75),
    "jpeg 30": saved_as("JPEG", quality=30),
    "webp 50": saved_as("WEBP", quality=50),
    "half": scaled(0.5),
    "a third": scaled(1 / 3),
    "twice": scaled(2.0),
    "cropped by 1 %": cropped(0.01),
    "cropped by 2 %": cropped(0.02),
}
