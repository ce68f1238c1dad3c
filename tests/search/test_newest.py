"""Pictures without a question: the newest first, whatever else is known of them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from polyglance.cli.main import app
from polyglance.data.place import Place
from polyglance.errors import QueryError
from polyglance.search.collection import Collection
from polyglance.search.filters import Filters
from polyglance.search.newest import newest
from polyglance.search.writer import open_for_writing
from support.colours import ColourEncoder
from support.rows import a_row

VECTOR = np.eye(ColourEncoder.dimension, dtype=np.float32)[0]
TAKEN = {
    "old.png": datetime(1969, 7, 20, 20, 17),
    "b/new.png": datetime(2024, 6, 30, 18, 30),
    "older.png": datetime(1839, 1, 2),
    "undated.png": None,
    "b/also-undated.png": None,
    "twin.png": datetime(2024, 6, 30, 18, 30),
}


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    with open_for_writing(tmp_path / "c", model=ColourEncoder(), root=tmp_path) as writer:
        for path, taken in TAKEN.items():
            writer.upsert([a_row(path, VECTOR, taken=taken, place=Place(50.0, 14.0))])
        writer.upsert([a_row("v.mp4", VECTOR, moment=float(i), frame=i) for i in range(3)])
    return Collection.open(tmp_path / "c")


def names(collection: Collection, **asked: int) -> list[str]:
    return [hit.name for hit in newest(collection, **asked)]


def test_newest_first_and_undated_last(collection: Collection) -> None:
    found = names(collection, top=10)
    assert {*found[:2]} == {"b/new.png", "twin.png"}
    assert found[2:4] == ["old.png", "older.png"]  # before 1970 there are dates, too
    assert {*found[4:]} == {"undated.png", "b/also-undated.png", "v.mp4"}


def test_pages_fit_together(collection: Collection) -> None:
    whole = names(collection, top=10)
    assert [names(collection, top=1, offset=each)[0] for each in range(7)] == whole
    assert names(collection, top=3, offset=7) == []


def test_what_passes(collection: Collection) -> None:
    [new] = newest(collection, filters=Filters.of(folder="b", since="2000"))
    assert (new.name, new.taken, new.place) == ("b/new.png", TAKEN["b/new.png"], Place(50.0, 14.0))
    [quiet] = newest(collection, filters=Filters.of(folder="b", since="2000"), places=False)
    assert quiet.place is None


@pytest.mark.parametrize("page", [{"top": 0}, {"top": 1002}, {"offset": -1}, {"offset": 10_001}])
def test_pages_that_there_are_not(collection: Collection, page: dict[str, int]) -> None:
    with pytest.raises(QueryError, match="must be between"):
        newest(collection, **page)


def test_on_the_command_line(collection: Collection) -> None:
    words = ["search", "--collection", str(collection.folder)]
    done = CliRunner().invoke(app, [*words, "--kind", "picture", "--top", "3", "--offset", "1"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line[:18] for line in lines] == [
        "2024-06-30 18:30  ",
        "1969-07-20 20:17  ",
        "1839-01-02 00:00  ",
    ]
    done = CliRunner().invoke(app, [*words, "--kind", "mp4", "--json"])
    [told] = json.loads(done.stdout)
    assert told == {"path": str(collection.absolute("v.mp4")), "taken": None, "id": told["id"]}
    done = CliRunner().invoke(app, [*words, "--kind", "gif"])
    assert (done.stdout, done.exit_code) == ("", 0)
    assert "no picture passes the filters: of the kind gif" in done.stderr


@pytest.mark.parametrize("more", [[], ["--kind", "picture", "--hybrid"], ["--top", "3"]])
def test_what_needs_words_says_so(collection: Collection, more: list[str]) -> None:
    done = CliRunner().invoke(app, ["search", "--collection", str(collection.folder), *more])
    assert done.exit_code != 0
    assert "the query is empty" in str(done.exception) + done.output
