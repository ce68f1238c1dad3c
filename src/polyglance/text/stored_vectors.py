"""A frozen encoder's vectors of texts, kept on disk: a later run finds them there."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from polyglance.data.feature_store import FeatureStore, FeatureStoreWriter
from polyglance.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

WRITTEN_AT_ONCE = 8192  # texts, 16 MB of vectors: opening a store costs as much as reading its keys


class Fingerprinted(Protocol):
    """What embeds texts; see :class:`~polyglance.text.sentence_encoder.SentenceEncoder`."""

    dimension: int

    @property
    def fingerprint(self) -> str:
        """Hex digest of all that a vector depends on beside its text."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts,) → (texts, dimension)."""


class StoredVectors:
    """An encoder that embeds no text that any run before has embedded. Thread-safe.

    Vectors are stored in float32, so that they are those of the encoder to the bit, under a digest
    of their text. New ones are written now and then, and by :meth:`write`; where the folder cannot
    be written to, or another process is writing, they they are computed again.

    Args:
        encoder: which is asked for what is not stored.
        folder: of all stores; the encoder's is one in it.
        fingerprint: of the encoder.
    """

    def __init__(self, encoder: Fingerprinted, folder: Path) -> None:
        self.encoder = encoder
        self.dimension = encoder.dimension
        self.fingerprint = encoder.fingerprint
        self.folder = folder / f"texts-{self.fingerprint[:16]}"
        self._store: FeatureStore | None = None
        self._new: dict[str, int] = {}  # digest → row of the block, not yet on disk
        self._block = np.empty((WRITTEN_AT_ONCE, self.dimension), np.float32)
        self._changing = threading.Lock()
        self._open()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts,) → (texts, dimension), as the encoder embeds them."""
        rows = np.empty((len(texts), self.dimension), np.float32)
        digests = [_digest(text) for text in texts]
        with self._changing:
            missing = self._fill(rows, digests)
        if missing:
            computed = self.encoder.embed([texts[number] for number in missing])
            rows[missing] = computed  # (missing, dimension)
            with self._changing:
                self._keep([digests[number] for number in missing], computed)
        return rows

    def write(self) -> None:
        """Bring to disk what is new."""
        with self._changing:
            self._write()

    def _fill(self, rows: NDArray[np.float32], digests: Sequence[str]) -> list[int]:
        """Fill the rows whose vectors are known; the numbers of the others."""
        stored: dict[int, int] = {}  # number of a text → its place
        missing = []
        for number, digest in enumerate(digests):
            place = None if self._store is None else self._store.place(digest)
            if place is not None:
                stored[number] = place
            elif digest in self._new:
                rows[number] = self._block[self._new[digest]]
            else:
                missing.append(number)
        if stored and self._store is not None:
            rows[[*stored]] = self._store.take([*stored.values()])
        return missing

    def _keep(self, digests: Sequence[str], computed: NDArray[np.float32]) -> None:
        for digest, row in zip(digests, computed, strict=True):
            if len(self._new) == WRITTEN_AT_ONCE:
                self._write()
            # Another thread may have been faster.
            self._block[self._new.setdefault(digest, len(self._new))] = row

    def _write(self) -> None:
        """Write the block and begin it anew; what cannot be written will be computed again."""
        if not self._new:
            return
        try:
            with FeatureStoreWriter(
                self.folder, fingerprint=self.fingerprint, shape=(self.dimension,), dtype="float32"
            ) as writer:
                self._open()  # another process may have brought some of ours
                new = {key: row for key, row in self._new.items() if not self._has(key)}
                if new:
                    writer.append([*new], self._block[[*new.values()]], [""] * len(new))
        except (ModelError, OSError):
            pass
        self._open()
        self._new.clear()

    def _has(self, digest: str) -> bool:
        return self._store is not None and digest in self._store

    def _open(self) -> None:
        try:
            self._store = FeatureStore(self.folder, fingerprint=self.fingerprint)
        except ModelError:
            self._store = None


def _digest(text: str) -> str:
    """Stands for a text in the store, where captions are nobody's to read."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
