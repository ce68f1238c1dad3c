"""A bounded memory of the vectors that a frozen encoder gave to texts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 1024  # rows


class KeptVectors:
    """Vectors by text, in blocks; the oldest go first. Thread-safe.

    A hundred thousand arrays of two kilobytes, each made between the tensors of some training step
    and never freed, break up the heap: with glibc 2.36 training then spent a quarter of its time
    in looking for room for its tensors.

    Args:
        limit: how many to keep; 0 keeps none.
        dimension: of each.

    Raises:
        ValueError: ``limit`` is negative.
    """

    def __init__(self, limit: int, dimension: int) -> None:
        if limit < 0:
            raise ValueError(f"kept_texts is {limit}; 0 keeps none")
        self._limit = limit
        self._dimension = dimension
        self._blocks: list[NDArray[np.float32]] = []
        self._places: dict[str, int] = {}  # the oldest first
        self._changing = threading.Lock()

    def __len__(self) -> int:
        return len(self._places)

    def __deepcopy__(self, memo: object) -> KeptVectors:
        """An empty memory as large: a copied encoder may be given other weights."""
        return KeptVectors(self._limit, self._dimension)

    def get(
        self, texts: Sequence[str], compute: Callable[[list[str]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """(texts, dimension); ``compute`` is asked once for those not kept, each of them once."""
        rows = np.empty((len(texts), self._dimension), np.float32)
        missing: dict[str, list[int]] = {}
        with self._changing:
            for number, text in enumerate(texts):
                place = self._places.get(text)
                if place is None:
                    missing.setdefault(text, []).append(number)
                else:
                    rows[number] = self._row(place)
        if missing:
            computed = compute([*missing])  # (missing, dimension)
            for numbers, row in zip(missing.values(), computed, strict=True):
                rows[numbers] = row
            with self._changing:
                self._keep([*missing], computed)
        return rows

    def _keep(self, texts: Sequence[str], rows: NDArray[np.float32]) -> None:
        kept = min(self._limit, len(texts))  # of more the last
        for text, row in zip(texts[len(texts) - kept :], rows[len(rows) - kept :], strict=True):
            if text not in self._places:  # another thread may have been faster
                self._row(self._new_place(text))[:] = row

    def _new_place(self, text: str) -> int:
        place = len(self._places)
        if place >= self._limit:
            place = self._places.pop(next(iter(self._places)))
        self._places[text] = place
        return place

    def _row(self, place: int) -> NDArray[np.float32]:
        """(dimension,) where it lies."""
        block, row = divmod(place, BLOCK)
        if block == len(self._blocks):
            self._blocks.append(np.empty((BLOCK, self._dimension), np.float32))
        found: NDArray[np.float32] = self._blocks[block][row]
        return found
