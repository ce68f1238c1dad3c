"""Graphs with weights of eight bits: a quarter of the size, and faster where processors help."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyglance.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_PICTURES = 16
AT_ONCE = 8
CONVOLUTIONAL = 2
"""A graph with so many convolutions is a convolutional network: a transformer has one."""


def quantise_images(path: Path, pixels: NDArray[np.uint8] | None) -> bool:
    """Quantise an image graph in place.

    Convolutions get scales of their inputs beforehand, from the ranges that pictures cause:
    measuring them at every run costs more than eight bits save. Matrix products are scaled at
    every run and need no pictures.

    Args:
        path: of a graph with the input ``pixels``.
        pixels: (pictures, 3, size, size) of pictures like those to come.

    Returns:
        Whether all scales are settled beforehand. Those measured at a run are of its whole batch.

    Raises:
        ConfigError: the network is convolutional, and there are fewer than sixteen pictures.
    """
    import onnx

    nodes = onnx.load(path).graph.node
    if sum(node.op_type == "Conv" for node in nodes) < CONVOLUTIONAL:
        _dynamic(path)
        return False
    if pixels is None or len(pixels) < FEWEST_PICTURES:
        raise ConfigError(
            f"this model's convolutions need at least {FEWEST_PICTURES} pictures to be quantised; "
            "name a folder of pictures like those that will be searched with --pictures"
        )
    _static(path, pixels)
    return True


def quantise_texts(path: Path) -> None:
    """Quantise a text graph in place: its matrix products, and its table of words."""
    _dynamic(path)


def _dynamic(path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _replacing(path) as quantised:
        quantize_dynamic(
            path,
            quantised,
            op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )


def _static(path: Path, pixels: NDArray[np.uint8]) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with _replacing(path) as quantised:
        quantize_static(
            path,
            quantised,
            _Batches(pixels),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


class _Batches:
    """As the quantiser asks for them, one by one."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._left = iter([pixels[at : at + AT_ONCE] for at in range(0, len(pixels), AT_ONCE)])

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._left, None)
        return None if batch is None else {"pixels": batch}


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file beside ``path`` that takes its place.

    The quantiser infers shapes anew, contradicts some of the exporter's, and gets none of them.
    Weights of a large graph lie in a file beside it; a quarter of them has room in the graph.
    """
    import onnx

    graph, beside = onnx.load(path), path.with_name(f"{path.name}.data")
    del graph.graph.value_info[:]
    is_large = beside.exists()
    beside.unlink(missing_ok=True)  # what is saved would be put behind what is there
    onnx.save(graph, path, save_as_external_data=is_large, location=beside.name)
    made = path.with_suffix(".int8.onnx")
    logger, level = logging.getLogger(), logging.getLogger().level
    logger.setLevel(logging.ERROR)
    try:
        yield made
    finally:
        logger.setLevel(level)
    os.replace(made, path)  # noqa: PTH105
    beside.unlink(missing_ok=True)
