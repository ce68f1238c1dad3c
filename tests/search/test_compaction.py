"""Files are written anew where much has changed, and not for a picture more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from polyglance.search import compaction, writer
from polyglance.search.schema import picture_id
from polyglance.search.writer import Writer, open_for_writing
from support.colours import ColourEncoder
from support.rows import a_row

ROWS = 200


def add(writer: Writer, first: int, count: int) -> None:
    vector = np.eye(ColourEncoder.dimension, dtype=np.float32)[0]
    writer.upsert([a_row(f"{number}.png", vector) for number in range(first, first + count)])


def files(writer: Writer) -> set[str]:
    return {path.name for path in (Path(writer.collection.pictures.uri) / "data").iterdir()}


def newest(writer: Writer) -> dict[str, int]:
    return {
        name: int(value)
        for name, value in writer.collection.pictures.list_versions()[-1]["metadata"].items()
    }


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Writer]:
    with open_for_writing(tmp_path / "c", model=ColourEncoder(), root=tmp_path) as writer:
        for first in range(0, ROWS, 50):
            add(writer, first, 50)
        writer.tidy()
        yield writer


def test_a_few_rows_more_leave_the_files_as_they_are(filled: Writer) -> None:
    before = files(filled)
    for number in range(5):
        add(filled, ROWS + number, 1)
        filled.tidy()
    assert len(files(filled) - before) == 5
    assert filled.collection.files() == ROWS + 5


def test_many_rows_more_are_brought_together(filled: Writer) -> None:
    for number in range(12):
        add(filled, ROWS + number, 1)
    filled.tidy()
    assert newest(filled)["total_fragments"] == 2
    assert compaction.text_index(filled.collection.pictures).num_unindexed_rows == 0


def test_rows_that_were_deleted_leave_the_files(filled: Writer) -> None:
    filled.remove_pictures([picture_id(f"{number}.png") for number in range(50)])
    filled.tidy()
    assert newest(filled)["total_data_file_rows"] == ROWS - 50


@pytest.mark.filterwarnings("ignore:cleanup_older_than")
def test_what_was_kept_for_readers_goes_when_it_is_old(
    filled: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(filled)
    add(filled, ROWS, 1)
    filled.tidy()
    assert before < files(filled)
    for module in (compaction, writer):
        monkeypatch.setattr(module, "KEEP_OLD_VERSIONS", timedelta(0))
    add(filled, ROWS + 1, 1)
    filled.tidy()
    assert len(files(filled)) == newest(filled)["total_fragments"]


def test_unreadable_files_are_kept_together(filled: Writer) -> None:
    skipped = filled.collection.skipped
    for number in range(3):
        filled.skip([writer.Skipped(path=f"{number}.png", size=1, mtime_ns=1, reason="")])
        filled.tidy()
    assert skipped.stats()["fragment_stats"]["num_fragments"] == 1
