"""The frozen multilingual sentence encoder: strings in, 512-d unit rows out.

By behaviour the Universal Sentence Encoder Multilingual (Yang et al., "Multilingual universal
sentence encoder for semantic retrieval", ACL 2020 demonstrations), quantised to int8.

Each text runs through the graph alone. The quantisation is dynamic: a layer's scale is taken over
everything that is in the run, so in a batch of 128 a row moves with its neighbours, down to a
cosine of 0.99 with itself. Alone, a text has one embedding for ever; several threads, each with
its own text, make up for the lost batching.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.text import normalise_text
from polyglance.processors import processors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST = 2000  # characters; what lies beyond adds time and next to no meaning


class SentenceEncoder:
    """Frozen; tokenises inside its graph. The session opens at the first use. Thread-safe.

    Args:
        folder: as installed by :mod:`polyglance.weights.sentence`.
        threads: how many texts to run at once; by default, one a processor. The result does not
            depend on it.
    """

    dimension = 512

    def __init__(self, *, folder: Path, threads: int | None = None) -> None:
        self.folder = folder
        self.threads = threads or processors()
        self._session: Any = None
        self._opening = threading.Lock()

    @classmethod
    def load(cls, *, threads: int | None = None) -> SentenceEncoder:
        """The one in the cache.

        Raises:
            WeightsError: it has not been downloaded.
        """
        from polyglance.weights.fetch import ensure

        return cls(folder=ensure("sentence-encoder"), threads=threads)

    @property
    def fingerprint(self) -> str:
        """Hex digest of the model file."""
        from polyglance.weights.cache import fingerprint

        return fingerprint(self.folder)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts,) strings → (texts, 512) float32 with unit rows, independent of one another."""
        import numpy as np

        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        session = self.open()

        def embed_every(first: int) -> None:
            for index in range(first, len(texts), self.threads):
                text = np.array([clean(texts[index])], dtype=object)
                rows[index] = session.run(["outputs"], {"inputs": text})[0][0]

        if len(texts) < self.threads * 2:  # a query or two: not worth a pool
            for first in range(self.threads):
                embed_every(first)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(embed_every, range(self.threads)))
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        rows /= np.maximum(norms, np.finfo(np.float32).tiny)
        return rows

    def open(self) -> Any:
        """The session, which the first text opens if nobody has before."""
        with self._opening:
            if self._session is None:
                self._session = _session(self.folder)
        return self._session


def clean(text: str) -> str:
    """What the graph can take: NFC, no control characters (NUL ends a string there), not endless.

    Lone surrogates, which UTF-8 cannot hold, become question marks.
    """
    valid = text[:LONGEST].encode("utf-8", "replace").decode("utf-8")
    normal = normalise_text(valid)
    return "".join(" " if unicodedata.category(char) == "Cc" else char for char in normal).strip()


def _session(folder: Path) -> Any:
    import onnxruntime

    from polyglance.weights.sentence import MODEL

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the parallelism is over texts
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.register_custom_ops_library(_operators())
    return onnxruntime.InferenceSession(
        str(folder / MODEL), sess_options=options, providers=["CPUExecutionProvider"]
    )


def _operators() -> str:
    """The library with the tokenizer's operators.

    It is found without importing its package, which imports transformers, and torch with it, where
    these are installed.
    """
    package = find_spec("onnxruntime_extensions")
    places = [] if package is None else package.submodule_search_locations or []
    libraries = [path for place in places for path in Path(place).glob("_extensions_pydll.*")]
    return str(next(path for path in libraries if path.suffix in {".so", ".pyd", ".dylib"}))
