"""An exported model: everything that indexing and searching ask of one, without torch."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyglance.data.language import one_language_each
from polyglance.errors import ModelError
from polyglance.onnx.description import IMAGES, TEXTS, read_description
from polyglance.onnx.texts import text_reader
from polyglance.processors import processors

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL import Image

    from polyglance.onnx.texts import Inputs
    from polyglance.vision.heat_map import HeatMap

TEXTS_AT_ONCE = 128


class OnnxEncoder:
    """An :class:`~polyglance.search.encoder.Encoder` of graphs. Thread-safe.

    Graphs are opened when they are first needed: a text query never reads the image graph.

    Attributes:
        name: absolute path of the folder.
        fingerprint: see :class:`~polyglance.onnx.description.Description`.
        languages: BCP-47 tags of those that the model was trained on.
        dimension: of embeddings.
        preprocessing: from a decoded picture to pixels.
        localises: false: graphs end in embeddings.

    Raises:
        ModelError: the folder is no export, or is damaged.
    """

    localises = False

    def __init__(self, folder: Path) -> None:
        described = read_description(folder)
        self._folder, self._described = folder, described
        self._opening = threading.Lock()
        self._opened: dict[str, Any] = {}
        self._reader: Callable[[Sequence[str]], Inputs] | None = None
        self.name = str(folder.resolve())
        self.fingerprint = described.fingerprint
        self.languages = described.languages
        self.dimension = described.dimension
        self.preprocessing = described.pictures.preprocessing()

    def require_embeddings(self) -> None:
        """Only models with embeddings are exported."""

    def encode_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 3, size, size) uint8 → (n, dimension), unit rows."""
        graph = self._graph(IMAGES, threads=1)  # many threads come at once, with a batch each
        at_once = 1 if self._described.apart else max(len(pixels), 1)
        embeddings = np.empty((len(pixels), self.dimension), dtype=np.float32)
        for at in range(0, len(pixels), at_once):
            some = slice(at, at + at_once)
            embeddings[some] = graph.run(None, {"pixels": pixels[some]})[0]
        return embeddings

    def encode_texts(
        self, texts: Sequence[str], *, language: str | Sequence[str] | None = None
    ) -> NDArray[np.float32]:
        """(n) texts → (n, dimension), unit rows; models that are exported are told no language.

        Raises:
            ValueError: ``language`` has another length than ``texts``.
        """
        one_language_each(language, len(texts))  # has to fit, though none is needed
        graph = self._graph(TEXTS, threads=processors())  # a query comes alone
        embeddings = np.empty((len(texts), self.dimension), dtype=np.float32)
        # Of eight bits, a text is rounded by the largest numbers of all that are encoded with it.
        at_once = TEXTS_AT_ONCE if self._described.precision == "float32" else 1
        for at in range(0, len(texts), at_once):
            some = slice(at, at + at_once)
            embeddings[some] = graph.run(None, self._inputs(texts[some]))[0]
        return embeddings

    def explain(self, image: Image.Image, text: str, *, language: str | None = None) -> HeatMap:  # noqa: ARG002
        """Nothing.

        Raises:
            ModelError: always.
        """
        raise ModelError(
            f"{self.name}: an exported model cannot say where in a picture a text is; ask "
            f"{self._described.model}, which it was made from"
        )

    def _graph(self, name: str, *, threads: int) -> Any:
        with self._opening:
            if name not in self._opened:
                self._opened[name] = open_graph(self._folder / name, threads=threads)
            return self._opened[name]

    def _inputs(self, texts: Sequence[str]) -> Inputs:
        with self._opening:
            if self._reader is None:
                self._reader = text_reader(self._described.texts, self._folder)
        return self._reader(texts)


def open_graph(path: Path, *, threads: int) -> Any:
    """A session of ONNX Runtime.

    Raises:
        ModelError: the file is no graph that it could run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{path} cannot be run ({reason}); export anew") from None
