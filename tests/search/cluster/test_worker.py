"""A worker by itself: what it writes, and what keeps it from working."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polyglance.errors import ModelError
from polyglance.search.cluster.shards import Shard, read_shard
from polyglance.search.cluster.worker import Job, Worker, as_array, is_in
from polyglance.search.embed import Embedded, Familiar, Unreadable
from polyglance.search.scan import scan
from support.colours import ColourEncoder, picture

CONTENTS = {f"{n:032x}" for n in (0, 1, 7, 16**31, 16**32 - 1)}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    picture(tmp_path / "photos" / "a.png", "red")
    (tmp_path / "shards").mkdir()
    return Job(
        model="colours",
        fingerprint=ColourEncoder.fingerprint,
        root=tmp_path / "photos",
        folder=tmp_path / "shards",
        batch_size=2,
        places=True,
        load=lambda _name: ColourEncoder(),
    )


def prepared(job: Job, familiar: Any = frozenset()) -> Worker:
    worker = Worker(job, as_array(familiar))
    assert worker.prepare() == ""
    return worker


def shard(job: Job) -> Shard:
    return Shard(name="r-000000.arrow", files=scan(job.root).pictures)


def test_contents_are_found_by_halves() -> None:
    array = as_array(CONTENTS)
    assert all(is_in(array, content) for content in CONTENTS)
    assert not any(is_in(array, f"{n:032x}") for n in (2, 8, 16**31 + 1, 16**32 - 2))
    assert not is_in(as_array(set()), f"{0:032x}")


def test_outcomes_are_written(job: Job) -> None:
    picture(job.root / "b.png", "green")
    picture(job.root / "c.png", "blue")
    (job.root / "d.png").write_bytes(b"broken")
    worker = prepared(job)
    assert worker.embed(shard(job)) == ""
    first = read_shard(job.folder / "r-000000.arrow", fingerprint=job.fingerprint)
    assert [type(each) for each in first] == [Embedded, Embedded, Embedded, Unreadable]
    known = first[2]
    assert isinstance(known, Embedded)
    assert prepared(job, {known.content}).embed(shard(job)) == ""
    again = read_shard(job.folder / "r-000000.arrow", fingerprint=job.fingerprint)
    assert again[2] == Familiar(known.file, known.content)


def test_what_keeps_it_from_working_is_a_sentence(job: Job, tmp_path: Path) -> None:
    def fails(_name: str) -> ColourEncoder:
        raise ModelError("no such model: colours")

    (tmp_path / "empty").mkdir()
    for wrong, told in (
        (replace(job, version="0.0"), "not 0.0; install the same everywhere"),
        (replace(job, folder=tmp_path / "gone"), "there is no folder .*gone; .* same path"),
        (replace(job, root=tmp_path / "gone"), "is empty or missing; .* same path"),
        (replace(job, root=tmp_path / "empty"), "is empty or missing"),
        (replace(job, fingerprint="5" * 56), "another model here .c0104b5.*, not 555"),
        (replace(job, load=fails), "no such model: colours"),
    ):
        trouble = Worker(wrong, as_array(set())).prepare()
        assert re.search(told, trouble), trouble


def test_a_disk_that_cannot_be_written_is_a_sentence(job: Job) -> None:
    worker = prepared(job)
    job.folder.rmdir()
    job.folder.write_text("in its place")
    assert "cannot be written" in worker.embed(shard(job))
