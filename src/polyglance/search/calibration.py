"""Where a collection's calibration comes from, and the file that keeps it.

``polyglance index`` leaves it in the collection. A reader never writes: where the file is not
there, or the collection has changed a good deal since, the reader calibrates for itself.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from polyglance.data.files import replaced_when_complete
from polyglance.search.collection import Collection
from polyglance.search.lance import writing
from polyglance.search.location import read_file
from polyglance.search.relevance import Calibration, reference_texts
from polyglance.search.schema import embeddings_of

FILE = "calibration.npz"
# With fewer rows, the best picture of a query is any picture.
LEAST_ROWS = 50
# The best score of many rows changes with the logarithm of their number: a tenth is nothing.
GROWTH_BEFORE_RENEWAL = 0.1

Encode = Callable[[Sequence[str], Sequence[str]], NDArray[np.float32]]
"""(texts), (their languages) → (texts, dimension), unit rows."""


class _Measured(NamedTuple):
    """A calibration, and how many rows the collection had."""

    calibration: Calibration
    rows: int

    def fits(self, rows: int) -> bool:
        """Whether the collection is still about as large."""
        return abs(rows - self.rows) <= GROWTH_BEFORE_RENEWAL * self.rows


class Calibrator:
    """The calibration of a collection as it is now; safe to share between threads.

    Args:
        collection: open for reading.
        encode: by the model that filled it.
    """

    def __init__(self, collection: Collection, encode: Encode) -> None:
        self.collection = collection
        self.encode = encode
        self._lock = threading.Lock()
        self._measured: _Measured | None = None

    def current(self) -> Calibration | None:
        """The calibration; ``None`` where the collection has too few pictures for one.

        Raises:
            CollectionError: the collection is damaged.
        """
        with self._lock:
            rows = len(self.collection)
            if rows < LEAST_ROWS:
                return None
            if self._measured is None or not self._measured.fits(rows):
                kept = _read(self.collection)
                if kept is None or not kept.fits(rows):
                    kept = _measure(self.collection, _references(kept, self.encode))
                self._measured = kept
            return self._measured.calibration


def keep_calibration(
    folder: Path, collection: Collection, encode: Encode, *, changed: bool
) -> None:
    """Calibrate a collection and keep that in its folder.

    Args:
        folder: of the collection.
        collection: nobody else may be writing into it.
        encode: by the model that filled it.
        changed: whether its pictures have; otherwise, what was kept stays.

    Raises:
        CollectionError: the collection is damaged, or cannot be written.
    """
    kept = _read(collection)
    if len(collection) < LEAST_ROWS or (kept is not None and not changed):
        return
    measured = _measure(collection, _references(kept, encode))
    with (
        writing(folder),
        replaced_when_complete(folder / FILE) as temporary,
        temporary.open("wb") as file,
    ):
        np.savez(
            file,
            references=measured.calibration.references,
            best=measured.calibration.best,
            rows=np.array(measured.rows),
            texts=np.array(_digest()),
        )


def _references(kept: _Measured | None, encode: Encode) -> NDArray[np.float32]:
    """(texts, dimension) of unit rows: those that were kept, or new ones."""
    if kept is not None:
        return kept.calibration.references
    languages, texts = zip(*reference_texts(), strict=True)
    return encode(texts, languages)


def _measure(collection: Collection, references: NDArray[np.float32]) -> _Measured:
    """Compare every row with every reference, (texts, dimension)."""
    best = np.full(len(references), -1, dtype=np.float32)
    seen = 0
    for batch in collection.batches(["embedding"]):
        rows = embeddings_of(batch)
        np.maximum(best, (rows @ references.T).max(axis=0, initial=-1), out=best)
        seen += len(batch)
    return _Measured(Calibration(references, best), seen)


def _read(collection: Collection) -> _Measured | None:
    """What was kept; ``None`` where it is missing, damaged, or of other references."""
    try:
        content = BytesIO(read_file(collection.folder, FILE))
        with np.load(content, allow_pickle=False) as kept:
            if str(kept["texts"]) != _digest():
                return None
            return _Measured(Calibration(kept["references"], kept["best"]), int(kept["rows"]))
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return None


def _digest() -> str:
    content = repr(reference_texts()).encode()
    return hashlib.blake2b(content, digest_size=16).hexdigest()
