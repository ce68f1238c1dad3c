"""A watched folder: bursts, files that are still being written, and what is no reason to look."""

from __future__ import annotations

import json
import os
import queue
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polyglance.errors import CollectionError
from polyglance.search import watching
from polyglance.search.collection import Collection
from polyglance.search.indexer import Summary, index
from support.colours import ColourEncoder, picture

PATIENT = 150.0  # seconds that a machine that is busy may take


class Watch:
    """A folder that is kept up with in a thread, until it is told to stop."""

    def __init__(self, source: Path, collection: Path) -> None:
        self.source, self.collection = source, collection
        self.updates: queue.Queue[Summary | Exception] = queue.Queue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.first = self.next()

    def _run(self) -> None:
        try:
            for waiting in watching.updates(self.source, collection=self.collection):
                if self._stop.is_set():
                    return
                self.updates.put(
                    index(self.source, self.collection, encoder=ColourEncoder(), waiting=waiting)
                )
        except CollectionError as error:
            self.updates.put(error)

    def next(self) -> Summary:
        update = self.updates.get(timeout=PATIENT)
        assert isinstance(update, Summary), update
        return update

    def until(self, *names: str) -> list[Summary]:
        """Updates until the collection has these pictures and no other."""
        seen: list[Summary] = []
        while self.names() != set(names):
            seen.append(self.next())
        return seen

    def names(self) -> set[str]:
        return {file.path for file in Collection.open(self.collection).each_file()}

    def stop(self) -> None:
        self._stop.set()
        if self.source.is_dir():
            (self.source / "last").mkdir()  # one more reason to look
        self._thread.join(PATIENT)
        assert not self._thread.is_alive()


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(watching, "QUIET", 0.3)
    picture(tmp_path / "photos" / "a.png", "red")
    picture(tmp_path / "photos" / "b.png", "green")
    return tmp_path / "photos"


@pytest.fixture
def watch(photos: Path) -> Iterator[Watch]:
    watched = Watch(photos, photos.parent / "collection")
    yield watched
    watched.stop()


def test_a_collection_follows_its_folder(photos: Path, watch: Watch) -> None:
    assert watch.first.indexed == 2
    picture(photos / "trip" / "c.png", "blue")
    [update] = watch.until("a.png", "b.png", "trip/c.png")[-1:]
    assert (update.indexed, update.unchanged) == (1, 2)
    (photos / "trip").rename(photos / "holiday")
    [update] = watch.until("a.png", "b.png", "holiday/c.png")[-1:]
    assert (update.moved, update.encoded) == (1, 0)
    (photos / "a.png").unlink()
    [update] = watch.until("b.png", "holiday/c.png")[-1:]
    assert update.removed == 1
    before = Collection.open(watch.collection).known()
    picture(photos / "b.png", "white", "black")
    update = watch.next()
    assert (update.indexed, update.encoded) == (1, 1)
    assert Collection.open(watch.collection).known() != before


def test_a_burst_is_one_update(photos: Path, watch: Watch) -> None:
    made = photos.parent / "made"
    for number in range(40):
        picture(made / f"{number:02}.png", "yellow", size=(20 + number, 30))
    shutil.copytree(made, photos, dirs_exist_ok=True)
    updates = watch.until("a.png", "b.png", *(f"{number:02}.png" for number in range(40)))
    assert sum(update.indexed for update in updates) == 40
    assert len(updates) <= 3


def test_a_file_that_is_being_copied_is_left_alone(
    photos: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PATIENCE", 0.8)  # it is written for three times as long
    whole = picture(photos.parent / "large.png", "purple", "white", "blue").read_bytes()
    size = -(-len(whole) // 60)
    with (photos / "large.png").open("wb") as file:
        for number in range(60):
            file.write(whole[number * size : (number + 1) * size])
            file.flush()
            os.utime(photos / "large.png")  # also where there was nothing left to write
            if number == 10:
                picture(photos / "meanwhile.png", "black")
            time.sleep(0.04)
    updates = watch.until("a.png", "b.png", "large.png", "meanwhile.png")
    assert [update.indexed for update in updates] == [1, 1]
    assert all(update.skipped == [] for update in updates)


def test_what_grows_is_told_from_what_rests(photos: Path) -> None:
    growing, resting = photos / "a.png", photos / "b.png"
    done = threading.Event()

    def grow() -> None:
        while not done.wait(0.02):
            with growing.open("ab") as file:
                file.write(b"\0")

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        gone = photos / "gone.png"
        assert watching.still_written([growing, resting, gone, photos]) == {growing}
    finally:
        done.set()
        thread.join()
    assert watching.still_written([growing]) == set()
    assert watching.still_written([]) == set()


def test_files_that_wait_stay_as_they_are_known(photos: Path) -> None:
    def run(*waiting: str) -> Summary:
        return index(
            photos,
            photos.parent / "collection",
            encoder=ColourEncoder(),
            waiting=frozenset(waiting),
        )

    run()
    known = Collection.open(photos.parent / "collection").known()
    (photos / "a.png").write_bytes(b"half a pict")
    picture(photos / "new.png", "blue")
    update = run("a.png", "new.png")
    assert (update.indexed, update.removed, update.skipped) == (0, 0, [])
    assert Collection.open(photos.parent / "collection").known() == known
    picture(photos / "a.png", "black")
    assert run().indexed == 2


def test_what_the_indexer_passes_over_is_no_reason(photos: Path) -> None:
    collection, manifest = photos / "collection", photos / "m.jsonl"
    collection.mkdir()
    for name in (".hidden.png", ".thumbnails/a.png", "collection/data.lance", "notes.txt"):
        (photos / name).parent.mkdir(exist_ok=True)
        (photos / name).touch()
    (photos / "m.jsonl").touch()
    counts = watching._filter(photos, {collection}, {manifest})
    reasons = ["a.png", "UPPER.JPG", "film.mp4", "folder", "m.jsonl", "trip/gone", ""]
    assert [name for name in reasons if not counts(1, str(photos / name))] == []
    silent = [".hidden.png", ".thumbnails/a.png", "collection", "collection/data.lance"]
    assert [name for name in [*silent, "notes.txt"] if counts(1, str(photos / name))] == []


def test_a_manifest_is_watched_with_its_pictures(photos: Path) -> None:
    manifest = photos / "m.jsonl"

    def write(*names: str) -> None:
        lines = [{"image": f"{name}.png", "captions": {"en": [name]}} for name in names]
        manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))

    write("a")
    watch = Watch(manifest, photos.parent / "collection")
    assert watch.first.indexed == 1
    write("a", "b")
    watch.until("a.png", "b.png")
    picture(photos / "b.png", "black")
    assert watch.next().indexed == 1
    watch._stop.set()
    write("a")
    watch._thread.join(PATIENT)


def test_a_folder_that_vanishes_ends_it(photos: Path) -> None:
    watch = Watch(photos, photos.parent / "collection")
    shutil.rmtree(photos)
    watch._thread.join(PATIENT)
    last: Any = None
    while not watch.updates.empty():
        last = watch.updates.get()
    assert isinstance(last, CollectionError)
    assert watch.names() == {"a.png", "b.png"}


def test_without_watchfiles_it_says_so(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(CollectionError, match=r"polyglance\[watch\]"):
        next(watching.updates(photos, collection=photos.parent / "collection"))
    monkeypatch.undo()
    with pytest.raises(CollectionError, match="nothing is left to watch"):
        next(watching.updates(photos / "none" / "x", collection=photos.parent / "collection"))
