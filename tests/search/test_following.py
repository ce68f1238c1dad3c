"""Readers beside a writer: no error, no half-written state, and what is new within a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from polyglance.search.collection import Collection
from polyglance.search.nearest import SECONDS_BETWEEN_LOOKS, Neighbours
from polyglance.search.query import Query
from polyglance.search.schema import Stored, picture_id
from polyglance.search.searcher import Searcher
from polyglance.search.writer import Writer, open_for_writing
from support.colours import ColourEncoder
from support.rows import a_row

READERS = 2
ROUNDS = 5
COLOUR = np.eye(ColourEncoder.dimension, dtype=np.float32)
# Beside the second between looks: a machine may be busy.
PATIENCE = 30.0


def pair(number: int) -> list[Stored]:
    """Two pictures that come and go in one transaction."""
    return [
        a_row(
            f"{number}-{half}.png",
            COLOUR[number % len(COLOUR)],
            captions={"en": ["a pair"]},
            content=f"{number:032x}",
        )
        for half in "ab"
    ]


def pairs_of(names: list[str]) -> dict[str, int]:
    numbers = [name.split("-")[0] for name in names]
    return {number: numbers.count(number) for number in numbers}


def write_rounds(writer: Writer) -> None:
    """Every round adds a pair, takes the one before away, and tidies up now and then."""
    for number in range(1, ROUNDS + 1):
        writer.upsert(pair(number))
        writer.remove_pictures([picture_id(row.path) for row in pair(number - 1)])
        if number % 3 == 0:
            writer.tidy()


def read_until(
    done: threading.Event, ask: Callable[[], list[str]], seen: list[dict[str, int]]
) -> None:
    while True:
        last = done.is_set()
        seen.append(pairs_of(ask()))
        if last:
            return
        time.sleep(0.01)  # a writer needs a processor as well


@pytest.mark.parametrize("exact_up_to", [1000, 0], ids=["in memory", "by the table"])
def test_readers_beside_a_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact_up_to: int
) -> None:
    monkeypatch.setattr("polyglance.search.nearest.SECONDS_BETWEEN_LOOKS", 0.0)
    done = threading.Event()
    errors: list[BaseException] = []
    seen: list[list[dict[str, int]]] = [[] for _ in range(READERS)]
    with open_for_writing(tmp_path / "c", model=ColourEncoder(), root=tmp_path) as writer:
        writer.upsert(pair(0))

        def read(mine: list[dict[str, int]]) -> None:
            neighbours = Neighbours(Collection.open(tmp_path / "c"), exact_up_to=exact_up_to)

            def ask() -> list[str]:
                return [each.row["path"] for each in neighbours.nearest(COLOUR[0], top=100)]

            try:
                read_until(done, ask, mine)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=read, args=(mine,)) for mine in seen]
        for thread in threads:
            thread.start()
        write_rounds(writer)
        done.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert errors == []
    for mine in seen:
        assert mine[-1] == {str(ROUNDS): 2}
        assert all(set(state.values()) == {2} for state in mine)  # never one of two
        assert all(len(state) in (1, 2) for state in mine)


def test_what_is_new_is_found_within_a_second(tmp_path: Path) -> None:
    with open_for_writing(tmp_path / "c", model=ColourEncoder(), root=tmp_path) as writer:
        writer.upsert(pair(0))
        reader = Searcher(Collection.open(tmp_path / "c"), ColourEncoder())
        assert reader.matching() == 2
        writer.upsert(pair(1))
        time.sleep(SECONDS_BETWEEN_LOOKS)
        assert reader.matching() == 4


def test_others_are_answered_while_one_loads_the_new_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyglance.search.nearest.SECONDS_BETWEEN_LOOKS", 0.0)
    with open_for_writing(tmp_path / "c", model=ColourEncoder(), root=tmp_path) as writer:
        writer.upsert(pair(0))
        neighbours = Neighbours(Collection.open(tmp_path / "c"))
        assert neighbours.matching() == 2
        writer.upsert(pair(1))
    loading, goes_on = threading.Event(), threading.Event()
    load = neighbours._load

    def slowly() -> object:
        loading.set()
        assert goes_on.wait(PATIENCE)
        return load()

    monkeypatch.setattr(neighbours, "_load", slowly)
    first = threading.Thread(target=neighbours.matching)
    first.start()
    assert loading.wait(PATIENCE)
    assert neighbours.matching() == 2  # at once, of the state before
    goes_on.set()
    first.join(PATIENCE)
    assert neighbours.matching() == 4


def test_after_a_long_rest_nothing_old_is_read(tmp_path: Path) -> None:
    """The files of the state that a reader has open are gone meanwhile."""
    with open_for_writing(tmp_path / "c", model=ColourEncoder(), root=tmp_path) as writer:
        writer.upsert(pair(0))
        readers = [
            Searcher(Collection.open(tmp_path / "c"), ColourEncoder()) for _question in range(2)
        ]
        writer.upsert(pair(1))
        with pytest.warns(UserWarning, match="cleanup_older_than"):
            writer.collection.pictures.optimize(cleanup_older_than=timedelta(0))
    assert readers[0].has_captions
    found = readers[1].search(Query.of("pair"), hybrid=True, top=10)
    assert pairs_of([hit.name for hit in found]) == {"0": 2, "1": 2}
