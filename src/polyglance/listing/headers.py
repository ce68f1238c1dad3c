"""What the headers of weight files tell: which tensors there are and of which shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path

from polyglance.errors import ModelError
from polyglance.systems.int8 import SCALE

Shapes = Mapping[str, tuple[int, ...]]


def shapes_of(files: Iterable[Path]) -> Shapes:
    """Name → shape of every tensor, without reading one.

    Raises:
        ModelError: a file is damaged or cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for path in files:
        try:
            with safe_open(path, framework="np") as file:
                shapes |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{path} cannot be read: {error}") from None
    return shapes


def parameters_in(shapes: Shapes) -> int:
    """How many numbers there are; what only scales the rows of others is not counted."""
    return sum(prod(shape) for name, shape in shapes.items() if not name.endswith(SCALE))
