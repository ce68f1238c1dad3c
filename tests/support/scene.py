"""A picture on which every turn and flip shows."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEIGHT, WIDTH = 40, 60


def scene(enlarged: int = 1) -> NDArray[np.uint8]:
    """(40, 60, 3), or so many times larger: four quarters of different colours."""
    corners = np.array([[(200, 40, 40), (40, 200, 40)], [(40, 40, 200), (220, 220, 60)]], np.uint8)
    return corners.repeat(HEIGHT // 2 * enlarged, 0).repeat(WIDTH // 2 * enlarged, 1)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A file of it."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
