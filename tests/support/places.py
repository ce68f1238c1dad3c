"""GPS tags as cameras write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from support.colours import PALETTE


def gps(latitude: float, longitude: float) -> dict[int, Any]:
    """The tags of a place."""
    return {
        1: "S" if latitude < 0 else "N",
        2: _degrees_minutes_seconds(abs(latitude)),
        3: "W" if longitude < 0 else "E",
        4: _degrees_minutes_seconds(abs(longitude)),
    }


def taken_at(path: Path, colour: str, latitude: float, longitude: float) -> None:
    """A picture of one colour that says where it was taken."""
    exif = Image.Exif()
    exif[0x8825] = gps(latitude, longitude)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), PALETTE[colour]).save(path, exif=exif)


def _degrees_minutes_seconds(angle: float) -> tuple[float, float, float]:
    minutes, seconds = divmod(round(angle * 3600, 4), 60)
    degrees, minutes = divmod(minutes, 60)
    return degrees, minutes, round(seconds, 4)
