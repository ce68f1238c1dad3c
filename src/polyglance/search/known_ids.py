"""Which ids a table may hold: rows that it cannot hold are appended, and not looked for in it.

A merge reads the ids of all rows, so that every commit takes longer than the one before: with
merges alone, five million rows took fifteen times as long as one million.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]


class KnownIds:
    """The ids of a table's rows, and of those that were written since: 8 bytes each.

    Whoever deletes rows need not tell: an id too many costs a merge, and one too few a row that is
    there twice.

    Args:
        table: whose column ``id`` is read once.
    """

    def __init__(self, table: Any) -> None:
        batches = table.search().select(["id"]).limit(None).to_batches()
        parts = [_keys(batch["id"].to_pylist()) for batch in batches]
        self._sorted = np.sort(np.concatenate([*parts, _keys([])]))

    def lacks(self, ids: Collection[str]) -> bool:
        """Whether none of the ids is known."""
        return len(self._unknown(ids)) == len({*ids})

    def add(self, ids: Collection[str]) -> None:
        """Know more ids; those that are known already change nothing."""
        new = self._unknown(ids)
        self._sorted = np.insert(self._sorted, np.searchsorted(self._sorted, new), new)

    def __len__(self) -> int:
        return len(self._sorted)

    def _unknown(self, ids: Collection[str]) -> Keys:
        """Each id that is not known once, in their order."""
        asked = np.unique(_keys(ids))
        places = np.searchsorted(self._sorted, asked)
        within = places < len(self._sorted)
        known = np.zeros(len(asked), dtype=bool)
        known[within] = self._sorted[places[within]] == asked[within]
        return asked[~known]


def _keys(ids: Collection[str]) -> Keys:
    """Each id, 16 hex digits, as the number that it is."""
    return np.frombuffer(bytes.fromhex("".join(ids)), dtype=">u8").astype(np.uint64)
