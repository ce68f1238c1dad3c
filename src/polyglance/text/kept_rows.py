"""A bounded memory of what a frozen encoder said."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

Row = TypeVar("Row")


class KeptRows(Generic[Row]):
    """Rows by text; the oldest go first. Thread-safe.

    Args:
        limit: how many to keep; 0 keeps none.

    Raises:
        ValueError: ``limit`` is negative.
    """

    def __init__(self, limit: int) -> None:
        if limit < 0:
            raise ValueError(f"kept_texts is {limit}; 0 keeps none")
        self._limit = limit
        self._rows: dict[str, Row] = {}
        self._changing = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def __deepcopy__(self, memo: object) -> KeptRows[Row]:
        """An empty memory as large: a copied encoder may be given other weights."""
        return KeptRows(self._limit)

    def clear(self) -> None:
        """Forget all rows."""
        with self._changing:
            self._rows.clear()

    def get(self, texts: Sequence[str], compute: Callable[[list[str]], Iterable[Row]]) -> list[Row]:
        """One row a text; ``compute`` is asked once for those not kept, each of them once."""
        with self._changing:
            rows = {text: self._rows[text] for text in texts if text in self._rows}
        missing = [text for text in dict.fromkeys(texts) if text not in rows]
        if missing:
            new = dict(zip(missing, compute(missing), strict=True))
            rows |= new
            self._keep(new)
        return [rows[text] for text in texts]

    def _keep(self, rows: dict[str, Row]) -> None:
        with self._changing:
            self._rows |= rows
            while len(self._rows) > self._limit:
                del self._rows[next(iter(self._rows))]
