"""Videos in a collection: every second a row, one hit a video, with the moment that matches."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from polyglance.errors import CollectionError
from polyglance.search import embed
from polyglance.search.collection import INFO_FILE, Collection
from polyglance.search.hit import Hit, clock
from polyglance.search.indexer import Summary, index
from polyglance.search.lance import connect
from polyglance.search.nearest import Neighbours
from polyglance.search.query import Query
from polyglance.search.schema import PICTURES
from polyglance.search.searcher import Searcher
from support.clips import clip
from support.colours import ColourEncoder, picture

SMALL = (32, 32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "things"
    clip(folder / "film.mp4", "red", "green", "blue", seconds=2, size=SMALL)
    clip(folder / "trip" / "walk.mkv", "blue", "yellow", size=SMALL)
    picture(folder / "half.png", "red", "white")
    return folder


def run(folder: Path, **options: Any) -> Summary:
    encoder = options.pop("encoder", None) or ColourEncoder()
    return index(folder, folder.parent / "collection", encoder=encoder, **options)


def opened(folder: Path) -> Collection:
    return Collection.open(folder.parent / "collection")


def search(folder: Path, text: str, **options: Any) -> list[Hit]:
    return Searcher(opened(folder), ColourEncoder()).search(Query.of(text), **options)


def rows(folder: Path) -> list[tuple[str, float | None]]:
    listed = opened(folder).pictures.to_arrow().to_pylist()
    return sorted((row["path"], row["moment"]) for row in listed)


def test_every_second_of_a_video_is_a_row(folder: Path) -> None:
    encoder = ColourEncoder()
    summary = run(folder, encoder=encoder)
    assert (summary.indexed, summary.encoded, summary.pictures) == (3, 9, 3)
    assert encoder.pictures_encoded == 9
    assert rows(folder) == [
        ("film.mp4", 0.5),
        ("film.mp4", 1.5),
        ("film.mp4", 2.5),
        ("film.mp4", 3.5),
        ("film.mp4", 4.5),
        ("film.mp4", 5.5),
        ("half.png", None),
        ("trip/walk.mkv", 0.5),
        ("trip/walk.mkv", 1.5),
    ]
    row = opened(folder).pictures.to_arrow().to_pylist()[0]
    assert (row["width"], row["height"]) == (32, 32)


def test_a_video_is_found_once_with_its_best_moment(folder: Path) -> None:
    run(folder)
    hits = search(folder, "grün")
    assert len(hits) == 3
    assert hits[0].name == "film.mp4"
    assert 2 <= (hits[0].moment or 0) < 4
    assert hits[0].clock in {"00:02", "00:03"}
    assert [hit.name for hit in search(folder, "yellow", top=1)] == ["trip/walk.mkv"]
    red = search(folder, "red")
    assert [hit.name for hit in red[:2]] == ["film.mp4", "half.png"]
    assert (red[0].moment or 9) < 2
    assert red[1].moment is None
    assert red[1].clock is None


def test_hits_are_the_best_of_each_file_however_many_frames_are_better(folder: Path) -> None:
    for number in range(4):
        clip(folder / f"{number}.mp4", "blue", seconds=5 + number, size=SMALL)
    run(folder)
    names = [hit.name for hit in search(folder, "blue", top=7)]
    assert sorted(names) == sorted(
        ["0.mp4", "1.mp4", "2.mp4", "3.mp4", "film.mp4", "trip/walk.mkv", "half.png"]
    )
    assert names[-1] == "half.png"


def test_the_index_collapses_as_the_exact_search_does(folder: Path) -> None:
    run(folder)
    collection = opened(folder)
    exact, by_table = Neighbours(collection), Neighbours(collection, exact_up_to=0)
    for colour in ("red", "green", "blue", "yellow"):
        vector = ColourEncoder().encode_texts([colour])[0]
        for top in (1, 2, 3):
            one, other = (n.nearest(vector, top=top) for n in (exact, by_table))
            assert [n.row["file"] for n in one] == [n.row["file"] for n in other]
            assert [n.score for n in one] == pytest.approx([n.score for n in other], abs=1e-5)
    assert sorted(row["path"] for row in exact.sample(10)) == sorted(
        row["path"] for row in by_table.sample(10)
    )
    assert len(exact.sample(10)) == 3


def test_more_like_a_frame_leaves_its_own_video_out(folder: Path) -> None:
    run(folder)
    searcher = Searcher(opened(folder), ColourEncoder())
    blue = searcher.search(Query.of("blue"), top=2)
    assert {hit.name for hit in blue} == {"film.mp4", "trip/walk.mkv"}
    alike = searcher.similar(blue[0].id)
    assert alike[0].name == blue[1].name
    assert blue[0].name not in [hit.name for hit in alike]
    again = searcher.picture(blue[0].id)
    assert again is not None
    assert (again.name, again.moment) == (blue[0].name, blue[0].moment)


def test_what_has_not_changed_is_left_alone(folder: Path) -> None:
    run(folder)
    encoder = ColourEncoder()
    summary = run(folder, encoder=encoder)
    assert (summary.indexed, summary.unchanged, encoder.pictures_encoded) == (0, 3, 0)


def test_a_shorter_video_leaves_no_frames_of_the_longer_one(folder: Path) -> None:
    run(folder)
    clip(folder / "film.mp4", "white", seconds=2, size=SMALL)
    summary = run(folder)
    assert (summary.indexed, summary.unchanged) == (1, 2)
    assert [moment for path, moment in rows(folder) if path == "film.mp4"] == [0.5, 1.5]
    assert [hit.name for hit in search(folder, "white", top=1)] == ["film.mp4"]


def test_a_moved_video_takes_its_frames_along(folder: Path) -> None:
    run(folder)
    before = {moment for path, moment in rows(folder) if path == "film.mp4"}
    shutil.move(folder / "film.mp4", folder / "trip" / "other.mp4")
    encoder = ColourEncoder()
    summary = run(folder, encoder=encoder)
    assert (summary.moved, summary.removed, encoder.pictures_encoded) == (1, 0, 0)
    assert {m for path, m in rows(folder) if path == "trip/other.mp4"} == before
    assert "film.mp4" not in {path for path, _ in rows(folder)}
    assert search(folder, "green", top=1)[0].name == "trip/other.mp4"


def test_a_deleted_video_is_forgotten_whole(folder: Path) -> None:
    run(folder)
    (folder / "film.mp4").unlink()
    assert run(folder).removed == 1
    assert "film.mp4" not in {path for path, _ in rows(folder)}


def test_long_videos_have_a_bounded_number_of_rows(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "FRAMES", embed.Sampling(3, every=1.0))
    monkeypatch.setattr(embed, "FRAMES_AT_ONCE", 2)
    run(folder)
    assert [moment for path, moment in rows(folder) if path == "film.mp4"] == [1.0, 3.0, 5.0]


def test_broken_videos_are_listed(folder: Path) -> None:
    (folder / "bad.mp4").write_bytes(b"no video")
    summary = run(folder)
    assert summary.indexed == 3
    [(path, reason)] = summary.skipped
    assert path == "bad.mp4"
    assert reason.startswith("cannot be decoded")
    assert run(folder).skipped == summary.skipped


def test_without_the_extra_videos_are_listed_and_come_once_it_is_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "av", None)
        summary = run(folder)
    assert (summary.indexed, summary.pictures) == (1, 1)
    assert summary.skipped == [
        (name, "a video; install the extra 'polyglance[video]' to read it")
        for name in ("film.mp4", "trip/walk.mkv")
    ]
    summary = run(folder)
    assert (summary.indexed, summary.unchanged, summary.skipped) == (2, 1, [])


def test_videos_of_a_manifest_have_captions(folder: Path) -> None:
    line = {"video": "film.mp4", "captions": {"en": ["Three colours."]}}
    (folder / "m.jsonl").write_text(json.dumps(line) + "\n")
    run(folder / "m.jsonl")
    collection = Collection.open(folder / "collection")
    [hit] = Searcher(collection, ColourEncoder()).search(Query.of("green"))
    assert hit.captions == {"en": ["Three colours."]}
    assert hit.moment is not None


def as_format_1(collection: Path) -> None:
    """Make a collection what it was before videos: no column that came with them or later."""
    table = connect(collection).open_table(PICTURES)
    later = ["file", "moment", "words", "latitude", "longitude", "located", "shown"]
    table.drop_columns(later)
    path = collection / INFO_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 1}))


def test_a_collection_from_before_videos_opens_and_goes_on(folder: Path) -> None:
    for video in ("film.mp4", "trip/walk.mkv"):
        (folder / video).rename(folder.parent / Path(video).name)
    picture(folder / "b.png", "green")
    run(folder)
    before = {row["id"]: row for row in opened(folder).pictures.to_arrow().to_pylist()}
    as_format_1(folder.parent / "collection")

    after = {row["id"]: row for row in opened(folder).pictures.to_arrow().to_pylist()}
    assert after == {key: {**row, "located": False} for key, row in before.items()}
    assert json.loads((folder.parent / "collection" / INFO_FILE).read_text())["format"] == 5
    assert search(folder, "green", top=1)[0].name == "b.png"

    as_format_1(folder.parent / "collection")
    (folder.parent / "film.mp4").rename(folder / "film.mp4")
    encoder = ColourEncoder()
    summary = run(folder, encoder=encoder)  # the first to open it is the writer
    assert (summary.indexed, summary.unchanged, encoder.pictures_encoded) == (1, 2, 6)
    assert len(search(folder, "green")) == 3


def test_a_migration_that_was_interrupted_begins_anew(folder: Path) -> None:
    run(folder)
    path = folder.parent / "collection" / INFO_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 1}))
    assert len(search(folder, "green")) == 3


def test_a_collection_that_is_being_written_is_not_migrated(folder: Path) -> None:
    from polyglance.data.locking import only_writer

    run(folder)
    as_format_1(folder.parent / "collection")
    held = only_writer(folder.parent / "collection", CollectionError)
    with held, pytest.raises(CollectionError, match="is being written by"):
        opened(folder)


def test_the_clock_reads_like_a_players() -> None:
    assert [clock(s) for s in (0.0, 59.9, 61.2, 3600.0, 7384.9)] == [
        "00:00",
        "00:59",
        "01:01",
        "1:00:00",
        "2:03:04",
    ]


def test_the_verbs_show_the_moment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polyglance import Retriever
    from polyglance.cli.main import app

    monkeypatch.setattr(Retriever, "load", lambda _name: ColourEncoder())
    collection = str(folder.parent / "collection")
    done = CliRunner().invoke(app, ["index", str(folder), "--collection", collection])
    assert done.exit_code == 0, done.output
    assert "3 indexed" in done.output
    found = CliRunner().invoke(app, ["search", "blau", "-c", collection, "--top", "2"])
    assert re.search(r"film\.mp4  at 00:0[45]\n", found.stdout)
    listed = CliRunner().invoke(app, ["search", "blau", "-c", collection, "--json"])
    by_name = {Path(hit["path"]).name: hit for hit in json.loads(listed.stdout)}
    assert by_name["walk.mkv"]["moment"] == 0.5
    assert "moment" not in by_name["half.png"]


def test_ids_of_frames_are_those_of_the_file_and_others(folder: Path) -> None:
    run(folder)
    listed = opened(folder).pictures.to_arrow().to_pylist()
    ids = {row["id"] for row in listed}
    assert len(ids) == 9
    assert {row["file"] for row in listed} <= ids
