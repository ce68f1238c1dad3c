"""Places of pictures in a collection: noted, found again, filled in afterwards, and forgotten."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from lancedb.table import LanceTable

from polyglance.data.place import Place
from polyglance.errors import CollectionError, QueryError
from polyglance.search import places as module
from polyglance.search.collection import Collection
from polyglance.search.export import export
from polyglance.search.filters import Filters
from polyglance.search.indexer import Summary, index
from polyglance.search.lance import connect
from polyglance.search.query import Query
from polyglance.search.schema import INFO_FILE, PICTURES
from polyglance.search.searcher import Searcher
from polyglance.search.writer import Writer
from support.colours import ColourEncoder, picture
from support.places import taken_at

PRAGUE = Place(50.0875, 14.42125)
SYDNEY = Place(-33.8568, 151.2153)
AROUND_PRAGUE = "50.08,14.43,5km"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    taken_at(folder / "prague.jpg", "red", *PRAGUE)
    taken_at(folder / "trip" / "sydney.jpg", "blue", *SYDNEY)
    picture(folder / "nowhere.png", "green")
    return folder


def run(photos: Path, **options: Any) -> tuple[Summary, int]:
    """What a run did, and how many pictures it encoded."""
    encoder = ColourEncoder()
    summary = index(photos, photos.parent / "c", encoder=encoder, **options)
    return summary, encoder.pictures_encoded


def opened(photos: Path) -> Searcher:
    return Searcher(Collection.open(photos.parent / "c"), ColourEncoder())


def places(photos: Path) -> dict[str, Place | None]:
    return {hit.name: hit.place for hit in opened(photos).search(Query.of("red"), top=50)}


def near(photos: Path, circle: str) -> list[str]:
    filters = Filters.of(near=circle)
    searcher = opened(photos)
    hits = searcher.search(Query.of("red"), top=50, filters=filters)
    assert searcher.matching(filters) == len(searcher.sample(50, filters=filters)) == len(hits)
    return sorted(hit.name for hit in hits)


def as_format_3(collection: Path) -> None:
    """Make a collection what it was before places: their columns fewer."""
    table = connect(collection).open_table(PICTURES)
    table.drop_columns(["latitude", "longitude", "located", "shown"])
    path = collection / INFO_FILE
    content = json.loads(path.read_text())
    del content["places"]
    path.write_text(json.dumps({**content, "format": 3}))


def test_pictures_are_found_by_where_they_were_taken(photos: Path) -> None:
    run(photos)
    found = places(photos)
    assert found["prague.jpg"] == pytest.approx(PRAGUE)
    assert found["trip/sydney.jpg"] == pytest.approx(SYDNEY)
    assert found["nowhere.png"] is None
    assert near(photos, AROUND_PRAGUE) == ["prague.jpg"]
    assert near(photos, "50.08,14.43,100m") == []
    assert near(photos, "0,0,20000km") == ["prague.jpg", "trip/sydney.jpg"]


def test_a_copy_and_a_picture_that_moved_keep_their_place(photos: Path) -> None:
    run(photos)
    (photos / "prague.jpg").rename(photos / "moved.jpg")
    (photos / "copy.jpg").write_bytes((photos / "moved.jpg").read_bytes())
    summary, encoded = run(photos)
    assert (summary.moved, summary.indexed, encoded) == (1, 1, 0)
    assert near(photos, AROUND_PRAGUE) == ["copy.jpg", "moved.jpg"]


def test_a_picture_that_changed_has_its_new_place(photos: Path) -> None:
    run(photos)
    taken_at(photos / "prague.jpg", "yellow", *SYDNEY)
    run(photos)
    assert near(photos, AROUND_PRAGUE) == []
    assert places(photos)["prague.jpg"] == pytest.approx(SYDNEY)


def test_a_collection_from_before_places_gets_them_without_encoding(photos: Path) -> None:
    run(photos)
    before = Collection.open(photos.parent / "c").pictures.to_arrow().sort_by("id")
    as_format_3(photos.parent / "c")
    assert set(places(photos).values()) == {None}
    summary, encoded = run(photos)
    assert (summary.unchanged, summary.located, encoded) == (3, 2, 0)
    assert Collection.open(photos.parent / "c").pictures.to_arrow().sort_by("id") == before
    assert json.loads((photos.parent / "c" / INFO_FILE).read_text())["format"] == 5


def test_no_file_is_asked_twice(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(photos)
    as_format_3(photos.parent / "c")
    run(photos)

    def never(_path: Path) -> None:
        raise AssertionError

    monkeypatch.setattr(module, "regular_file", never)
    assert run(photos)[0].located == 0


def test_filling_in_goes_on_where_it_was_interrupted(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(photos)
    as_format_3(photos.parent / "c")
    locate = Writer.locate
    noted: list[object] = []

    def until_the_disk_is_full(writer: Writer, places: dict[str, Place | None]) -> None:
        if len(noted) == 2:
            raise CollectionError("no space left")
        noted.extend(places)
        locate(writer, places)

    with monkeypatch.context() as patch:
        patch.setattr(module, "FILES_PER_COMMIT", 1)
        patch.setattr(Writer, "locate", until_the_disk_is_full)
        with pytest.raises(CollectionError, match="no space left"):
            run(photos)
    assert Collection.open(photos.parent / "c").pictures.count_rows("located") == 2
    run(photos)
    assert near(photos, "0,0,20000km") == ["prague.jpg", "trip/sydney.jpg"]


def test_files_that_are_gone_or_still_written_wait_for_another_run(photos: Path) -> None:
    run(photos)
    as_format_3(photos.parent / "c")
    taken_at(photos / "trip" / "sydney.jpg", "blue", *PRAGUE)
    (photos / "trip" / "sydney.jpg").write_bytes(b"half of it")
    summary, _ = run(photos, waiting=frozenset({"trip/sydney.jpg"}))
    assert summary.located == 1
    assert places(photos)["trip/sydney.jpg"] is None


def test_places_can_be_left_out(photos: Path) -> None:
    run(photos, places=False)
    assert set(places(photos).values()) == {None}
    taken_at(photos / "new.jpg", "yellow", *PRAGUE)
    run(photos)  # which remembers
    assert set(places(photos).values()) == {None}
    summary, encoded = run(photos, places=True)
    assert (summary.located, encoded) == (3, 0)
    assert near(photos, AROUND_PRAGUE) == ["new.jpg", "prague.jpg"]


def test_what_is_forgotten_is_nowhere_in_the_folder(photos: Path) -> None:
    run(photos)
    degrees = latitude(photos)
    assert is_noted(photos, degrees)
    assert run(photos, places=False)[0].unchanged == 3
    assert set(places(photos).values()) == {None}
    assert not is_noted(photos, degrees)
    run(photos, places=True)
    assert is_noted(photos, degrees)
    run(photos, places=False)
    assert not is_noted(photos, degrees)


def test_what_a_killed_run_did_not_forget_the_next_one_does(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(photos)
    degrees = latitude(photos)

    def killed(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LanceTable, "optimize", killed)
        with pytest.raises(KeyboardInterrupt):
            run(photos, places=False)
    assert is_noted(photos, degrees)
    run(photos)
    assert not is_noted(photos, degrees)


def test_shards_that_a_killed_run_left_are_forgotten(photos: Path) -> None:
    run(photos)
    degrees = latitude(photos)
    (photos.parent / "c" / "shards").mkdir()
    (photos.parent / "c" / "shards" / "a-000000.arrow").write_bytes(degrees)
    run(photos, places=False)
    assert not is_noted(photos, degrees)


def latitude(photos: Path) -> bytes:
    """Where a picture was taken, as files have it."""
    found = Collection.open(photos.parent / "c").pictures.to_arrow()["latitude"].drop_null()
    return struct.pack("<d", found[0].as_py())


def is_noted(photos: Path, degrees: bytes) -> bool:
    """Whether a file of the collection has it."""
    files = (path for path in (photos.parent / "c").rglob("*") if path.is_file())
    return any(degrees in path.read_bytes() for path in files)


def test_an_export_has_them(photos: Path) -> None:
    run(photos)
    output = photos.parent / "out.jsonl"
    export(Collection.open(photos.parent / "c"), output)
    lines = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    told = {line["image"]: (line["latitude"], line["longitude"]) for line in lines}
    assert told["photos/prague.jpg"] == pytest.approx(PRAGUE)
    assert told["photos/nowhere.png"] == (None, None)


def test_a_searcher_that_tells_no_places_tells_none(photos: Path) -> None:
    run(photos)
    searcher = Searcher(Collection.open(photos.parent / "c"), ColourEncoder(), tells_places=False)
    hits = searcher.search(Query.of("red"))
    assert [hit.place for hit in hits] == [None] * 3
    seen = searcher.picture(hits[0].id)
    assert seen is not None
    assert seen.place is None
    filters = Filters.of(near=AROUND_PRAGUE)
    asks = (
        lambda: searcher.search(Query.of("red"), filters=filters),
        lambda: searcher.search(Query.of("red"), filters=filters, hybrid=True),
        lambda: searcher.similar(hits[0].id, filters=filters),
        lambda: searcher.matching(filters),
        lambda: searcher.sample(3, filters=filters),
    )
    for ask in asks:
        with pytest.raises(QueryError, match="places are not told here: ask without near"):
            ask()
