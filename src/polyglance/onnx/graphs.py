"""A system's two sides as graphs, which both end in embeddings."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from polyglance.errors import ConfigError
from polyglance.systems.base import System
from polyglance.systems.mini import Mini

DYNAMIC = torch.export.Dim.DYNAMIC
_LOGGERS = ("torch.onnx", "onnxscript", "onnx_ir")  # they tell of what they leave alone


class ImageGraph(nn.Module):
    """(n, 3, size, size) uint8 → (n, dimension), unit rows."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode pixels."""
        images = pixels
        if isinstance(self.system, Mini):  # which splits a batch among threads before its backbone
            images = self.system.backbone(pixels).grid
        embedding: Tensor = self.system.encode_images(images).embedding
        return embedding


class TextGraph(nn.Module):
    """What a system prepares of texts → (n, dimension), unit rows."""

    def __init__(self, system: System, names: tuple[str, ...]) -> None:
        super().__init__()
        self.system = system
        self.names = names

    def forward(self, *inputs: Tensor) -> Tensor:
        """Encode inputs, in the order of ``names``."""
        given = dict(zip(self.names, inputs, strict=True))
        embedding: Tensor = self.system.encode_texts(given).embedding
        return embedding


def write_image_graph(system: System, path: Path) -> None:
    """Write a graph with the input ``pixels`` and the output ``joint_embedding``.

    Raises:
        ConfigError: the extra ``onnx`` is not installed.
    """
    size = system.preprocessing.size
    pixels = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    _write(ImageGraph(system), {"pixels": pixels}, ({0: DYNAMIC},), path)


def write_text_graph(system: System, path: Path) -> None:
    """Write a graph with the inputs that the system prepares, and the output ``joint_embedding``.

    Raises:
        ConfigError: the extra ``onnx`` is not installed.
    """
    inputs = system.prepare_texts(["a dog in the snow", "a cat"], ["und", "und"])
    # What is padded to one length always keeps it.
    dynamic = tuple(
        dict.fromkeys((0, 1) if _varies(system, name) else (0,), DYNAMIC) for name in inputs
    )
    _write(TextGraph(system, tuple(inputs)), inputs, (dynamic,), path)


def _varies(system: System, name: str) -> bool:
    """Whether longer texts make an input longer."""
    longer = system.prepare_texts(["a dog runs over the green grass in the park"], ["und"])[name]
    return longer.shape[1:] != system.prepare_texts(["a"], ["und"])[name].shape[1:]


def _write(
    graph: nn.Module, inputs: Mapping[str, Tensor], dynamic: tuple[object, ...], path: Path
) -> None:
    with _exporting():
        program = torch.onnx.export(
            graph.eval(),
            tuple(inputs.values()),
            dynamo=True,
            input_names=list(inputs),
            output_names=["joint_embedding"],
            dynamic_shapes=dynamic,
            verbose=False,
        )
        assert program is not None  # noqa: S101 -- dynamo returns one
        program.save(path)


@contextlib.contextmanager
def _exporting() -> Iterator[None]:
    """Without what the exporter tells of itself.

    Raises:
        ConfigError: the extra is not installed.
    """
    try:
        import onnxscript  # noqa: F401 -- it brings onnx
    except ImportError:
        raise ConfigError("exporting needs the extra: pip install 'polyglance[onnx]'") from None
    levels = {logging.getLogger(name): logging.getLogger(name).level for name in _LOGGERS}
    for logger in levels:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
