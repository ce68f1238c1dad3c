"""Which ids a table may hold."""

from __future__ import annotations

from pathlib import Path

import lancedb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyglance.search.known_ids import KnownIds

ID = st.integers(0, 2**64 - 1).map("{:016x}".format)
EDGES = ["0" * 16, "f" * 16]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> lancedb.DBConnection:
    return lancedb.connect(str(tmp_path_factory.mktemp("tables")))


def of(database: lancedb.DBConnection, ids: list[str]) -> KnownIds:
    schema = pa.schema([pa.field("id", pa.string()), pa.field("number", pa.int64())])
    rows = pa.table({"id": ids, "number": list(range(len(ids)))}, schema=schema)
    return KnownIds(database.create_table("rows", rows, schema=schema, mode="overwrite"))


@given(there=st.sets(ID, max_size=20), asked=st.sets(ID, max_size=5), both=st.booleans())
def test_only_strangers_are_lacking(
    database: lancedb.DBConnection, there: set[str], asked: set[str], *, both: bool
) -> None:
    asked = asked | {*sorted(there)[:1]} if both else asked
    assert of(database, sorted(there)).lacks(sorted(asked)) == there.isdisjoint(asked)


@given(first=st.lists(ID, max_size=9), second=st.lists(ID, max_size=9))
def test_what_was_added_is_known_once(
    database: lancedb.DBConnection, first: list[str], second: list[str]
) -> None:
    known = of(database, [])
    for ids in (first, second, first):
        known.add(ids)
    assert len(known) == len({*first, *second})
    assert not any(known.lacks([each]) for each in first + second)


def test_the_first_and_the_last_there_can_be(database: lancedb.DBConnection) -> None:
    known = of(database, EDGES)
    assert [known.lacks([each]) for each in EDGES] == [False, False]
    assert known.lacks(["8" * 16])
    assert not known.lacks(["8" * 16, "f" * 16])


def test_deleted_rows_may_stay_known(tmp_path: Path) -> None:
    table = lancedb.connect(str(tmp_path)).create_table("rows", [{"id": each} for each in EDGES])
    known = KnownIds(table)
    table.delete(f"id = '{EDGES[0]}'")
    assert not known.lacks([EDGES[0]])  # a merge finds out that it is gone
    assert KnownIds(table).lacks([EDGES[0]])
