"""Backbone features on disk: computed once for a frozen backbone, then trained from.

A store is a folder:

- ``meta.json``: format version, fingerprint of the model behind the features, shape and dtype of
  a row;
- ``rows.bin``: the rows, little-endian, one behind the other, memory-mapped when read;
- ``keys.jsonl``: a line for each row in the same order: its key, the stamp of its source, and the
  digest of the source's content where it is known.

Rows are flushed to disk before their keys, and whatever goes beyond the last whole key is cut off
when writing goes on: a store that was interrupted, by whatever, is a shorter store.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Literal, Self

from polyglance.data.files import replaced_when_complete
from polyglance.data.locking import only_writer
from polyglance.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT = 1
READ_AHEAD_BYTES = 4 << 30
"""Stores up to this size are read into the system's cache when they are opened. From there the map
is as fast as an array in memory, and runs side by side share it."""

Precision = Literal["float16", "float32"]


class FeatureStore:
    """A store opened for reading; rows come from a memory map, so any size fits.

    Args:
        folder: of the store.
        fingerprint: of the model at hand; ``None`` trusts whatever is stored.

    Attributes:
        fingerprint: of the model that computed the rows.
        shape: of a row.
        keys: the keys stored, in order of writing.

    Raises:
        ModelError: no store is there, it is of a later format, or another model filled it.
    """

    def __init__(self, folder: Path, *, fingerprint: str | None = None) -> None:
        import numpy as np

        meta = _read_meta(folder, fingerprint)
        self.folder = folder
        self.fingerprint: str = meta["fingerprint"]
        self.shape: tuple[int, ...] = tuple(meta["shape"])
        self.dtype = np.dtype(meta["dtype"])
        entries = _whole_entries(folder, _row_bytes(meta))
        # A picture that changed was encoded again: its last row counts.
        self._row_of = {entry["key"]: row for row, entry in enumerate(entries)}
        self._stamps = {entry["key"]: entry["stamp"] for entry in entries}
        self._digests = {entry["key"]: entry.get("digest") for entry in entries}
        self.keys = list(self._row_of)
        self._rows: NDArray[Any] = np.empty((0, *self.shape), self.dtype)
        if entries:
            shape = (len(entries), *self.shape)
            self._rows = np.memmap(folder / "rows.bin", mode="r", dtype=self.dtype, shape=shape)
            if self._rows.nbytes <= READ_AHEAD_BYTES:
                _read_ahead(self._rows)

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, key: object) -> bool:
        return key in self._row_of

    def stamp(self, key: str) -> str | None:
        """What the source of a row looked like when it was encoded, or ``None`` without a row."""
        return self._stamps.get(key)

    def digest(self, key: str) -> str | None:
        """Over the content that a row was encoded from, or ``None`` where nobody knows it."""
        return self._digests.get(key)

    def rows(self, keys: Sequence[str]) -> NDArray[Any]:
        """(len(keys), *shape), a copy in the order asked for.

        Raises:
            ModelError: a key is not stored.
        """
        places = [self.place(key) for key in keys]
        if None in places:
            raise ModelError(
                f"{self.folder}: no features are stored for {keys[places.index(None)]!r}; "
                "run the command that fills the store again"
            )
        return self.take([place for place in places if place is not None])  # (len(keys), *shape)

    def place(self, key: str) -> int | None:
        """Where a key's row is, for :meth:`take`; ``None`` where it has none."""
        return self._row_of.get(key)

    def take(self, places: Sequence[int]) -> NDArray[Any]:
        """(len(places), *shape), a copy in the order asked for."""
        import numpy as np

        # take copies whole rows, at the speed of memory; indexing a map is several times slower
        rows: NDArray[Any] = np.take(self._rows, np.asarray(places, dtype=np.intp), axis=0)
        return np.asarray(rows)  # a plain array: the copy is no longer mapped


class FeatureStoreWriter:
    """Appends rows to a store, creating it if need be; one writer at a time.

    Use as a context manager. After each :meth:`append` the rows are on disk for good.

    Args:
        folder: of the store.
        fingerprint: of the model that computes the rows.
        shape: of a row.
        dtype: of the rows on disk.

    Raises:
        ModelError: the store belongs to another model, or another process is writing to it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fingerprint: str,
        shape: Sequence[int],
        dtype: Precision = "float16",
    ) -> None:
        self.folder = folder
        with ExitStack() as stack:
            stack.enter_context(only_writer(folder, ModelError))
            if not (folder / "meta.json").exists():
                _write_meta(folder, fingerprint, shape, dtype)
            meta = _read_meta(folder, fingerprint)
            if tuple(meta["shape"]) != tuple(shape):
                raise ModelError(
                    f"{folder}: rows have the shape {tuple(meta['shape'])}, not {tuple(shape)}; "
                    "delete the folder to fill it anew"
                )
            self._shape, self._dtype = tuple(shape), meta["dtype"]
            self._rows, self._keys = map(
                stack.enter_context, _open_at_end(folder, _row_bytes(meta))
            )
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files and let other writers in."""
        self._open.close()

    def append(
        self,
        keys: Sequence[str],
        rows: NDArray[np.floating[Any]],
        stamps: Sequence[str],
        digests: Sequence[str | None] | None = None,
    ) -> None:
        """Store rows under their keys.

        Args:
            keys: one a row; a key stored before is superseded.
            rows: (len(keys), *shape).
            stamps: what tells whether the source of a row has changed since.
            digests: over the sources' content, as far as they are known.

        Raises:
            ValueError: rows, keys, stamps and digests do not match, or a value does not fit the
                dtype.
        """
        import numpy as np

        known = [None] * len(keys) if digests is None else digests
        counts = {len(keys), len(stamps), len(known)}
        if rows.shape != (len(keys), *self._shape) or len(counts) > 1:
            raise ValueError(
                f"{len(keys)} keys, {len(stamps)} stamps, {len(known)} digests, rows {rows.shape}"
            )
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(rows, dtype=self._dtype)
        if not np.isfinite(stored).all():
            raise ValueError(f"features are not finite as {self._dtype}; store them as float32")
        _write_through(self._rows, stored.tobytes())
        entries = [
            {"key": key, "stamp": stamp} | ({} if digest is None else {"digest": digest})
            for key, stamp, digest in zip(keys, stamps, known, strict=True)
        ]
        _write_through(self._keys, _lines(entries))


def restamp(folder: Path, stamps: Mapping[str, str]) -> None:
    """Note that rows still stand for their sources, though these look different.

    Args:
        folder: of the store; readers see the old stamps or the new ones.
        stamps: key → what its source looks like now.

    Raises:
        ModelError: no store is there, or another process is writing to it.
    """
    with only_writer(folder, ModelError):
        entries = _whole_entries(folder, _row_bytes(_read_meta(folder, None)))
        last = {entry["key"]: entry for entry in entries}
        for key in stamps.keys() & last.keys():
            last[key]["stamp"] = stamps[key]
        with replaced_when_complete(folder / "keys.jsonl") as temporary:
            temporary.write_bytes(_lines(entries))


def _read_ahead(rows: NDArray[Any]) -> None:
    """Ask the system, where it can be asked, to read a map's file before it is needed."""
    import mmap

    mapped = getattr(rows, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_WILLNEED"):
        mapped.madvise(mmap.MADV_WILLNEED)


def _write_meta(folder: Path, fingerprint: str, shape: Sequence[int], dtype: Precision) -> None:
    meta = {"format": FORMAT, "fingerprint": fingerprint, "shape": list(shape), "dtype": dtype}
    temporary = folder / "meta.json.tmp"
    temporary.write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / "meta.json")


def _read_meta(folder: Path, fingerprint: str | None) -> dict[str, Any]:
    path = folder / "meta.json"
    if not path.is_file():
        raise ModelError(f"{folder}: no feature store is here (meta.json is missing)")
    try:
        meta: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = meta["format"]
        stored = (meta["fingerprint"], meta["shape"], meta["dtype"])[0]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path}: damaged ({error!r}); delete the folder to fill it anew"
        ) from None
    if version != FORMAT:
        raise ModelError(
            f"{path}: format {version}, this version reads {FORMAT}; update polyglance"
        )
    if fingerprint is not None and stored != fingerprint:
        raise ModelError(
            f"{folder}: these features come from the model {stored}, not from {fingerprint}; "
            "use another folder, or delete this one to fill it anew"
        )
    return meta


def _row_bytes(meta: dict[str, Any]) -> int:
    import numpy as np

    size: int = math.prod(meta["shape"]) * np.dtype(meta["dtype"]).itemsize
    return size


def _whole_entries(folder: Path, row_bytes: int) -> list[dict[str, str]]:
    """Key, stamp and perhaps digest of each row that is wholly on disk."""
    keys, rows = folder / "keys.jsonl", folder / "rows.bin"
    if not keys.exists() or not rows.exists():
        return []
    lines = keys.read_bytes().split(b"\n")[:-1]  # what follows the last newline is a torn line
    return [json.loads(line) for line in lines[: rows.stat().st_size // row_bytes]]


def _open_at_end(folder: Path, row_bytes: int) -> tuple[IO[bytes], IO[bytes]]:
    """Both files, cut to the rows that are whole, ready to append."""
    count = len(_whole_entries(folder, row_bytes))
    rows, keys = (folder / "rows.bin").open("ab"), (folder / "keys.jsonl").open("ab")
    rows.truncate(count * row_bytes)
    lines = (folder / "keys.jsonl").read_bytes().split(b"\n")[:count]
    keys.truncate(sum(len(line) + 1 for line in lines))
    return rows, keys


def _lines(entries: Sequence[Mapping[str, str]]) -> bytes:
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries).encode()


def _write_through(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())
