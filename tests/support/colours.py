"""A model that sees nothing but colours, and pictures for it: fast, exact, in six languages."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from polyglance.vision.heat_map import HeatMap
from polyglance.vision.preprocessing import Preprocessing

PALETTE = {
    "red": (220, 30, 30),
    "green": (30, 180, 60),
    "blue": (30, 60, 220),
    "yellow": (240, 220, 40),
    "purple": (140, 40, 160),
    "white": (245, 245, 245),
    "black": (10, 10, 10),
}
WORDS = {
    "red": ("red", "rot", "rouge", "červená", "赤", "أحمر"),
    "green": ("green", "grün", "vert", "zelená", "緑", "أخضر"),
    "blue": ("blue", "blau", "bleu", "modrá", "青", "أزرق"),
    "yellow": ("yellow", "gelb", "jaune", "žlutá", "黄", "أصفر"),
    "purple": ("purple", "lila", "violet", "fialová", "紫", "بنفسجي"),
    "white": ("white", "weiß", "blanc", "bílá", "白", "أبيض"),
    "black": ("black", "schwarz", "noir", "černá", "黒", "أسود"),
}


class ColourEncoder:
    """Embeds pictures as the shares of their colours, and texts as the colours that they name."""

    name = "colours"
    fingerprint = "c0104b5" * 8
    dimension = len(PALETTE)
    languages: tuple[str, ...] = ("en", "de", "fr", "cs", "ja", "ar")
    preprocessing = Preprocessing(size=16)

    def __init__(self) -> None:
        self.pictures_encoded = 0
        self.texts_seen: list[tuple[str, object]] = []
        self.explained: list[tuple[str, object]] = []
        self.localises = True

    def explain(self, image: Image.Image, text: str, *, language: str | None = None) -> HeatMap:
        """Each of 16 × 16 places by whether its colour is among those that the text names."""
        self.explained.append((text, language))
        pixels = self.preprocessing(image.convert("RGB"))
        places = pixels.reshape(3, -1).T[:, :, None, None]  # (places, 3, 1, 1)
        asked = self.encode_texts([text], language=language)[0]
        self.texts_seen.pop()
        values = (self.encode_pixels(places) @ asked).reshape(pixels.shape[1:])
        whole = self.encode_pixels(pixels[None])[0]
        return HeatMap(
            values=values,
            visible=(0.0, 0.0, 1.0, 1.0),
            score=float(whole @ asked),
            language=language or "und",
        )

    def require_embeddings(self) -> None:
        """It has them."""

    def encode_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.pictures_encoded += len(pixels)
        colours = np.array(list(PALETTE.values()), dtype=np.int32)  # (colours, 3)
        difference = pixels[:, None].astype(np.int32) - colours[None, :, :, None, None]
        nearest = (difference**2).sum(axis=2).argmin(axis=1)  # (n, size, size)
        shares = np.stack([(nearest == i).mean(axis=(1, 2)) for i in range(len(colours))], axis=1)
        return _unit_rows(shares + 1e-3)

    def encode_texts(
        self, texts: Sequence[str], *, language: str | Sequence[str] | None = None
    ) -> NDArray[np.float32]:
        spoken = (
            [language] * len(texts) if language is None or isinstance(language, str) else language
        )
        self.texts_seen += [
            (text, None if tag == "und" else tag) for text, tag in zip(texts, spoken, strict=True)
        ]
        return _unit_rows(
            np.array([[_named(words, text) for words in WORDS.values()] for text in texts])
        )


def picture(path: Path, *colours: str, size: tuple[int, int] = (48, 32)) -> Path:
    """Write a picture of vertical stripes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stripes = np.array([PALETTE[colour] for colour in colours], dtype=np.uint8)
    columns = np.repeat(stripes, -(-size[0] // len(stripes)), axis=0)[: size[0]]
    pixels = np.broadcast_to(columns, (size[1], size[0], 3))
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)
    return path


def many_pictures(folder: Path, count: int) -> None:
    """Write ``count`` different pictures."""
    names = list(PALETTE)
    for i in range(count):
        size = (20 + i % 50, 20 + i // 50)
        picture(
            folder / f"{i:04}.png", names[i % 7], names[i // 7 % 7], names[i // 49 % 7], size=size
        )


def _named(words: tuple[str, ...], text: str) -> float:
    text = unicodedata.normalize("NFC", text).casefold()
    return 1.0 if any(word.casefold() in text for word in words) else 1e-3


def _unit_rows(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
