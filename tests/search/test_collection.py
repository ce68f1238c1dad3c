"""The folder of a collection: opened, refused, damaged, locked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from polyglance.data.locking import only_writer
from polyglance.errors import CollectionError
from polyglance.search import migration
from polyglance.search.collection import Collection, id_conditions
from polyglance.search.indexer import index
from polyglance.search.lance import connect
from polyglance.search.schema import PICTURES, picture_id
from support.colours import ColourEncoder, picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture(tmp_path / "photos" / "a.png", "red")
    index(tmp_path / "photos", tmp_path / "collection", encoder=ColourEncoder())
    return tmp_path / "collection"


def test_description(folder: Path) -> None:
    described = json.loads((folder / "collection.json").read_text())
    assert described["format"] == 5
    assert described["model"] == "colours"
    assert described["fingerprint"] == ColourEncoder.fingerprint
    assert described["dimension"] == ColourEncoder.dimension
    assert described["root"] == str(folder.parent / "photos")


def test_no_picture_bytes_are_stored(folder: Path) -> None:
    columns = Collection.open(folder).pictures.schema.names
    assert columns == [
        "id",
        "path",
        "path_bytes",
        "content",
        "size",
        "mtime_ns",
        "width",
        "height",
        "taken",
        "captions",
        "embedding",
        "file",
        "moment",
        "words",
        "latitude",
        "longitude",
        "located",
        "shown",
    ]


def test_what_is_shown_is_filled_in_where_an_earlier_version_wrote(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "ROWS_AT_ONCE", 2)
    for name in ("b", "c", "d", "e"):
        picture(folder.parent / "photos" / f"{name}.png", "blue")
    index(folder.parent / "photos", folder, encoder=ColourEncoder())
    before = Collection.open(folder).pictures.to_arrow().sort_by("id")
    table = connect(folder).open_table(PICTURES)
    table.drop_columns(["shown"])
    table.add_columns({"shown": "''"})  # interrupted here
    path = folder / "collection.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 4}))
    assert Collection.open(folder).pictures.to_arrow().sort_by("id") == before
    assert json.loads(path.read_text())["format"] == 5
    assert len(before) == 5


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(
        CollectionError, match=r"no collection at .*make one with 'polyglance index"
    ):
        Collection.open(tmp_path / "nowhere")


def _newer(folder: Path) -> None:
    path = folder / "collection.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))


def _no_dimension(folder: Path) -> None:
    path = folder / "collection.json"
    path.write_text(json.dumps({"format": 1}))


def _not_json(folder: Path) -> None:
    (folder / "collection.json").write_text('{"format": 1, "mod')


def _no_table(folder: Path) -> None:
    (folder / "lance" / "pictures.lance").rename(folder / "gone")


def _damaged_table(folder: Path) -> None:
    for version in (folder / "lance" / "pictures.lance" / "_versions").iterdir():
        version.write_bytes(b"\0" * 64)


def _damaged_rows(folder: Path) -> None:
    for rows in (folder / "lance" / "pictures.lance" / "data").iterdir():
        rows.write_bytes(b"\0" * 64)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_newer, "format 99, made by a newer Polyglance"),
        (_no_dimension, r"damaged \(model, fingerprint, dimension, root, created\)"),
        (_not_json, "is damaged; delete"),
        (_no_table, "tables are missing or damaged"),
        (_damaged_table, "tables are missing or damaged .*has other columns"),
        (_damaged_rows, "tables are missing or damaged"),
    ],
)
def test_damage_is_told(folder: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(folder)
    with pytest.raises(CollectionError, match=message):
        Collection.open(folder).known()


def test_half_made_collection_is_made_anew(folder: Path) -> None:
    (folder / "collection.json").unlink()  # it is written last
    summary = index(folder.parent / "photos", folder, encoder=ColourEncoder())
    assert (summary.indexed, summary.pictures) == (1, 1)


def test_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    holder = (
        "import sys, time; from pathlib import Path; "
        "from polyglance.data.locking import only_writer\n"
        "from polyglance.errors import CollectionError\n"
        "with only_writer(Path(sys.argv[1]), CollectionError):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    with (
        pytest.raises(CollectionError, match=f"written by process {process.pid}; wait"),
        only_writer(tmp_path, CollectionError),
    ):
        pass
    process.kill()
    process.communicate()
    with only_writer(tmp_path, CollectionError):
        pass


def test_many_paths_are_not_looked_through_for_each(folder: Path) -> None:
    class Paths(list[str]):
        def __contains__(self, _path: object) -> bool:
            raise AssertionError

    assert Collection.open(folder).ids_at(Paths(["a.png", "b.png"])) == {picture_id("a.png")}
    assert Collection.open(folder).ids_at(Paths(["b/", "b.png"])) == set()


def test_only_ids_reach_sql() -> None:
    assert list(id_conditions(["0" * 16, "f" * 16])) == [
        "id IN ('0000000000000000', 'ffffffffffffffff')"
    ]
    assert len(list(id_conditions(f"{i:016x}" for i in range(2500)))) == 3
    with pytest.raises(ValueError, match="is not the id"):
        list(id_conditions(["0' OR '1' = '1"]))
