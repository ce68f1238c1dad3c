"""Pictures are written once, whether they are appended or put in the place of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from polyglance.search import collection as reading
from polyglance.search import writer as writing
from polyglance.search.schema import Stored, picture_id
from polyglance.search.writer import Writer, open_for_writing
from support.colours import ColourEncoder
from support.rows import a_row

ONE, OTHER = np.eye(ColourEncoder.dimension, dtype=np.float32)[:2]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    with open_for_writing(tmp_path / "c", model=ColourEncoder(), root=tmp_path) as opened:
        yield opened


def stored(writer: Writer) -> dict[str, list[list[float]]]:
    """Path → embeddings of its rows."""
    rows = writer.collection.pictures.search().select(["path", "embedding"]).limit(None).to_arrow()
    found: dict[str, list[list[float]]] = {}
    for row in rows.to_pylist():
        found.setdefault(row["path"], []).append(row["embedding"])
    return found


def frames(count: int) -> list[Stored]:
    return [a_row("f.mp4", ONE, moment=float(frame), frame=frame) for frame in range(count)]


def test_new_pictures_are_not_looked_for_in_the_table(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def joined(*_given: object, **_named: object) -> None:
        raise AssertionError("all rows were read")

    monkeypatch.setattr(writing, "_merge", joined)
    for name in "abc":
        writer.upsert([a_row(f"{name}.png", ONE), a_row(f"{name}.jpg", ONE)])
    assert len(stored(writer)) == 6
    with pytest.raises(AssertionError, match="all rows"):
        writer.upsert([a_row("d.png", ONE), a_row("a.png", OTHER)])


def test_a_picture_that_comes_again_takes_its_own_place(writer: Writer) -> None:
    writer.upsert([a_row("a.png", ONE), a_row("b.png", ONE)])
    writer.upsert([a_row("a.png", OTHER), a_row("c.png", ONE)])
    assert stored(writer) == {"a.png": [[*OTHER]], "b.png": [[*ONE]], "c.png": [[*ONE]]}


def test_so_it_does_for_another_writer(writer: Writer) -> None:
    writer.upsert([a_row("a.png", ONE)])
    again = Writer(writer.collection)
    again.upsert([a_row("a.png", OTHER)])
    assert stored(writer) == {"a.png": [[*OTHER]]}


def test_a_picture_that_was_removed_may_come_back(writer: Writer) -> None:
    writer.upsert([a_row("a.png", ONE), a_row("b.png", ONE)])
    writer.remove_pictures([picture_id("a.png")])
    writer.upsert([a_row("a.png", OTHER)])
    writer.upsert([a_row("c.png", ONE)])  # read back at its place, with a gap before it
    assert stored(writer) == {"a.png": [[*OTHER]], "b.png": [[*ONE]], "c.png": [[*ONE]]}


def test_a_video_that_comes_again_is_as_long_as_it_is_now(writer: Writer) -> None:
    writer.upsert(frames(5))
    writer.upsert(frames(3))
    assert len(stored(writer)["f.mp4"]) == 3


@pytest.mark.parametrize("where", [None, "id = file"])
def test_all_rows_are_read_in_parts_of_the_state_that_there_was(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, where: str | None
) -> None:
    monkeypatch.setattr(reading, "ROWS_AT_ONCE", 3)
    names = [f"{number}.png" for number in range(10)]
    writer.upsert([a_row(name, ONE) for name in names])
    other = reading.Collection.open(writer.folder)
    seen: list[str] = []
    for batch in other.batches(["path", "embedding"], where=where):
        assert len(batch) <= 3
        seen += batch.column("path").to_pylist()
        writer.remove_pictures([picture_id(name) for name in names[:5]])
        other.refresh()
    assert seen == names
    left = other.batches(["path"], where=where)
    assert [path for batch in left for path in batch.column("path").to_pylist()] == names[5:]
