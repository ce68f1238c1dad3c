"""The indices of a large collection, kept up to date by themselves.

An approximate one over the embeddings, and one over the ids, by which single rows are looked up.
"""

from __future__ import annotations

import math
from typing import Any

# Up to here every query is compared with every embedding, in memory: exact, and 2 ms a query.
EXACT_UP_TO = 50_000
# The index's partitions are laid out for the rows it was built on; grown by this, it is rebuilt.
GROWTH_BEFORE_REBUILD = 4
# LanceDB splits larger partitions and joins smaller ones whenever it brings an index up to date.
ROWS_OF_A_PARTITION = 8192
# So many partitions are read for a query, FACTOR · partitions ^ POWER: generously, since queries by
# text lie in another region than the pictures do. 41 % of a million's, 26 % of five millions'.
FACTOR, POWER = 1.75, 0.7
ALL_PARTITIONS = 1_000_000  # more than there ever are: LanceDB reads those that are there
BITS = 4  # of a number: fewer take less time to read, and more candidates to be sure of the best
PACKED = 8  # RaBitQ takes no other dimension than multiples of it
_NAME = "near_of_"
_IDS = "ids"


def refresh_index(table: Any, *, rows: int) -> None:
    """Build the indices where there are none and ``rows`` are many.

    That over the embeddings is built anew where they outgrew it. Rows that came since are added by
    the table's ``optimize()``, and found by comparing each until then.
    """
    if rows <= EXACT_UP_TO:
        return
    if all(index.name != _IDS for index in table.list_indices()):
        _index_ids(table)
    built_on = rows_of_index(table)
    if built_on is not None and rows < GROWTH_BEFORE_REBUILD * built_on:
        return
    build_index(table, rows=rows)


def _index_ids(table: Any) -> None:
    from lancedb.index import BTree

    table.create_index("id", config=BTree(), name=_IDS)


def build_index(table: Any, *, rows: int) -> None:
    """Build the index over the embeddings anew and drop the older one.

    Four bits a number (RaBitQ, Gao et al., SIGMOD 2025) are read in a fraction of the time that
    floats take, and put the best nearly in their order; those are compared exactly in any case.
    """
    from lancedb.index import IvfRq, IvfSq

    old = [index.name for index in table.list_indices() if index.columns == ["embedding"]]
    name = f"{_NAME}{rows}"
    about: dict[str, Any] = {"distance_type": "dot", "num_partitions": _partitions(rows)}
    is_packed = table.schema.field("embedding").type.list_size % PACKED == 0
    config = IvfRq(**about, num_bits=BITS) if is_packed else IvfSq(**about)
    table.create_index("embedding", config=config, name=name, replace=True)
    for each in old:
        if each != name:
            table.drop_index(each)


def partitions_probed(table: Any) -> int:
    """How many partitions of the table's index are read for a query without filters."""
    partitions = _partitions(table.count_rows())
    return math.ceil(FACTOR * math.pow(partitions, POWER))


def _partitions(rows: int) -> int:
    return max(1, round(rows / ROWS_OF_A_PARTITION))


def rows_of_index(table: Any) -> int | None:
    """How many rows the index over the embeddings was built on; ``None`` where there is none."""
    built = [
        int(index.name.removeprefix(_NAME))
        for index in table.list_indices()
        if index.name.startswith(_NAME)
    ]
    return max(built, default=None)


def rows_beside_index(table: Any) -> int | None:
    """How many rows came since that index was refreshed; ``None`` where there is none.

    They are found nevertheless: each is compared.
    """
    built_on = rows_of_index(table)
    if built_on is None:
        return None
    return int(table.index_stats(f"{_NAME}{built_on}").num_unindexed_rows)
