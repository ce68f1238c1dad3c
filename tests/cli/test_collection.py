"""``collection info``, ``verify`` and ``prune`` as a user types them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyglance import retriever
from polyglance.cli import main
from polyglance.data.locking import only_writer
from polyglance.errors import CollectionError, ModelError
from polyglance.search import inventory, vector_index
from polyglance.search.collection import Collection
from support.collections import (
    photos_of_three_folders,
    rewrite,
    run,
    run_for_json,
    use_colours,
)
from support.colours import many_pictures, picture


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seven photos in three folders, indexed as ``c``, where the user stands."""
    use_colours(monkeypatch)
    monkeypatch.chdir(tmp_path)
    folder = photos_of_three_folders(tmp_path / "photos")
    run("index", folder, "-c", "c", "--model", "colours")
    return folder


def told(verb: str, *options: object, code: int = 0) -> Any:
    return json.loads(run_for_json("collection", verb, "c", "--json", *options, code=code))


def paths() -> set[str]:
    return {file.path for file in Collection.open("c").each_file()}


# info


def test_info_tells_what_is_there(photos: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"broken")
    run("index", photos, "-c", "c")
    output = run("collection", "info", "c")
    assert "pictures:  7\nvideos:    0\nskipped:   1\n" in output
    assert f"root:      {photos}" in output
    assert "folders:   . (4), trip (3)" in output
    assert "dates:     2024-05-31 to 2024-05-31" in output
    assert "places:    no picture says where" in output
    assert "model:     colours (c0104b5c0104)" in output
    assert "index:     none: every row is compared, exactly" in output
    assert "format:    5" in output


def test_info_as_json(photos: Path) -> None:
    described = told("info")
    assert (described["pictures"], described["videos"], described["rows"]) == (7, 0, 7)
    assert described["folders"] == {".": 4, "trip": 3}
    assert described["first"] == described["last"] == "2024-05-31T18:30:00"
    assert described["index"] == {"approximate": False, "built_on": None, "beside": 0}
    assert described["format"] == 5
    assert described["dimension"] == 7
    assert described["root"] == str(photos)
    sizes = [path.stat().st_size for path in Path("c").rglob("*") if path.is_file()]
    assert described["size"] == sum(sizes)


def test_info_of_an_empty_collection(photos: Path) -> None:
    Path("none").mkdir()
    run("index", "none", "-c", "empty", "--model", "colours")
    output = run("collection", "info", "empty")
    assert "pictures:  0" in output
    assert "folders:   none" in output
    assert "no picture says when it was taken" in output


def test_info_counts_the_rows_beside_the_index(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (vector_index, inventory):
        monkeypatch.setattr(module, "EXACT_UP_TO", 300)
    many_pictures(tmp_path / "many", 320)
    run("index", "many", "-c", "large", "--model", "colours")
    assert "approximate, laid out for 320 rows\n" in run("collection", "info", "large")
    table = Collection.open("large").pictures
    row = table.search().limit(1).to_arrow()
    table.add(row)
    output = run("collection", "info", "large")
    assert "approximate, laid out for 320 rows, rows not yet in it: 1" in output


# verify


def test_verify_finds_nothing_wrong_and_changes_nothing(photos: Path) -> None:
    def everything() -> dict[str, tuple[int, int]]:
        listed = [Path("c"), *Path("c").rglob("*")]
        return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in listed}

    before = everything()
    assert run("collection", "verify", "c") == "7 rows read, 7 files looked for: all is well\n"
    assert told("verify", "--content") == {"rows": 7, "files": 7, "problems": []}
    assert everything() == before


def test_verify_names_files_that_are_gone_changed_or_out_of_reach(photos: Path) -> None:
    (photos / "red.png").unlink()
    picture(photos / "blue.png", "blue", "red")
    shutil.rmtree(photos / "trip" / "far")
    output = run("collection", "verify", "c", code=1)
    assert (
        "files gone: 1; 'polyglance collection prune' or 'index' forgets them\n  red.png\n"
        in output
    )
    assert "files changed since they were indexed: 1; run" in output
    assert "files out of reach: 1; is a disk not mounted?\n  trip/far/black.jpg" in output
    assert output.endswith("7 rows read, 7 files looked for: something is wrong\n")
    problems = told("verify", code=1)["problems"]
    assert [(each["kind"], each["first"]) for each in problems] == [
        ("gone", ["red.png"]),
        ("out of reach", ["trip/far/black.jpg"]),
        ("changed", ["blue.png"]),
    ]


def test_only_the_first_names_are_said(photos: Path, tmp_path: Path) -> None:
    many_pictures(tmp_path / "many", 8)
    run("index", "many", "-c", "large", "--model", "colours")
    for i in range(7):
        (tmp_path / "many" / f"{i:04}.png").unlink()
    output = run("collection", "verify", "large", code=1)
    assert "files gone: 7;" in output
    assert "  0000.png, 0001.png, 0002.png, 0003.png, 0004.png, …\n" in output


def test_content_tells_what_size_and_time_do_not(photos: Path) -> None:
    file = photos / "red.png"
    status, data = file.stat(), file.read_bytes()
    file.write_bytes(data[:-1] + b"\xff")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.utime(photos / "blue.png", ns=(1, 1))
    assert told("verify", code=1)["problems"][0]["first"] == ["blue.png"]
    assert told("verify", "--content", code=1)["problems"][0]["first"] == ["red.png"]


def test_files_that_cannot_be_read_are_said(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "red.png":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    problems = told("verify", "--content", code=1)["problems"]
    assert [(each["kind"], each["first"]) for each in problems] == [("unreadable", ["red.png"])]


def _not_finite(columns: dict[str, Any]) -> None:
    columns["embedding"][1] = np.full(7, np.nan, dtype=np.float32)


def _too_long(columns: dict[str, Any]) -> None:
    columns["embedding"][1] = 2 * np.asarray(columns["embedding"][1], dtype=np.float32)


def _twice(columns: dict[str, Any]) -> None:
    for values in columns.values():
        values.append(values[1])


def _wrong_key(columns: dict[str, Any]) -> None:
    columns["id"][1] = columns["file"][1] = "0" * 16


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            _not_finite,
            "not finite",
            "embeddings that are not finite: 1; 'polyglance coll",
        ),
        (
            _too_long,
            "not unit",
            "embeddings that are not of unit length: 1; 'polyglance coll",
        ),
        (
            _twice,
            "twice",
            "rows of a path that is there already: 1; 'polyglance coll",
        ),
        (
            _wrong_key,
            "wrong key",
            "rows with the key of another path: 1; 'polyglance coll",
        ),
    ],
)
def test_rows_that_lie_are_found(
    photos: Path, change: Callable[[dict[str, Any]], None], kind: str, message: str
) -> None:
    rewrite(change)
    assert message in run("collection", "verify", "c", code=1)
    problems = told("verify", code=1)["problems"]
    assert [(each["kind"], each["first"]) for each in problems] == [(kind, ["green.png"])]


@pytest.mark.parametrize("gone", ["lance", "lance/skipped.lance", "lance/pictures.lance/data"])
def test_tables_that_cannot_be_read_are_said(photos: Path, gone: str) -> None:
    shutil.rmtree(Path("c") / gone)
    output = run("collection", "verify", "c", code=1)
    assert output.startswith("table: c: ")
    assert output.count("\n") == 2
    assert not (Path("c") / gone).exists()


def test_a_model_that_is_another_or_absent_is_said(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = json.loads(Path("c/collection.json").read_text())
    described["fingerprint"] = "f" * 56
    Path("c/collection.json").write_text(json.dumps(described))
    output = run("collection", "verify", "c", code=1)
    assert "model: 'colours' is c0104b5c0104 here, and was ffffffffffff" in output

    def absent(name: str) -> None:
        raise ModelError(f"no model {name!r}")

    monkeypatch.setattr(retriever.Retriever, "load", staticmethod(absent))
    assert "model: no model 'colours'" in run("collection", "verify", "c", code=1)


def test_an_older_format_is_left_alone(photos: Path) -> None:
    path = Path("c/collection.json")
    older = json.dumps({**json.loads(path.read_text()), "format": 1})
    path.write_text(older)
    with pytest.raises(CollectionError, match=r"has format 1, .*'polyglance collection info c'"):
        run("collection", "verify", "c")
    assert path.read_text() == older
    run("collection", "info", "c")
    run("collection", "verify", "c")


# prune


def test_prune_takes_out_what_is_gone(photos: Path) -> None:
    (photos / "red.png").unlink()
    (photos / "trip" / "white.png").unlink()
    output = run("collection", "prune", "c", "--dry-run")
    assert output == "gone: red.png\ngone: trip/white.png\n2 of 7 would be taken out\n"
    assert len(paths()) == 7
    assert run("collection", "prune", "c").endswith("2 taken out; 5 left\n")
    assert paths() == {
        "blue.png",
        "green.png",
        "yellow.png",
        "trip/purple.png",
        "trip/far/black.jpg",
    }
    assert run("collection", "prune", "c") == "0 of 5 would be taken out\n"
    assert "all is well" in run("collection", "verify", "c")


@pytest.mark.parametrize("left", ["nothing", "an empty folder", "a link to nothing"])
def test_a_disk_that_is_not_mounted_empties_nothing(photos: Path, left: str) -> None:
    (photos / "trip").rename(photos.parent / "disk")
    if left == "an empty folder":
        (photos / "trip").mkdir()
    elif left == "a link to nothing":
        (photos / "trip").symlink_to(photos.parent / "unmounted")
    output = run("collection", "prune", "c")
    assert f"kept: {photos}/trip/far (1)\n" in output
    assert "files kept: 3," in output
    assert "is a disk not mounted?" in output
    assert len(paths()) == 7
    shutil.rmtree(photos)
    assert "files kept: 7," in run("collection", "prune", "c", "--yes")
    assert len(paths()) == 7


def test_links_to_files_on_a_disk_that_is_not_mounted_are_kept(
    photos: Path, tmp_path: Path
) -> None:
    (photos / "red.png").rename(tmp_path / "elsewhere.png")
    (photos / "red.png").symlink_to(tmp_path / "not-here.png")
    assert f"kept: {photos} (1)\n" in run("collection", "prune", "c")
    assert len(paths()) == 7


def test_more_than_half_is_asked_for(photos: Path) -> None:
    for name in ("red", "green", "blue"):
        (photos / f"{name}.png").unlink()
    (photos / "trip" / "white.png").unlink()
    with pytest.raises(CollectionError, match="nobody said yes; --yes does"):
        run("collection", "prune", "c")
    assert "nothing was taken out" in run("collection", "prune", "c", answer="n\n", code=1)
    assert len(paths()) == 7
    output = run("collection", "prune", "c", answer="y\n")
    assert "take 4 of 7 files out of c?" in output
    assert len(paths()) == 3


def test_yes_is_not_asked(photos: Path) -> None:
    for name in ("red", "green", "blue"):
        (photos / f"{name}.png").unlink()
    shutil.rmtree(photos / "trip" / "far")
    (photos / "trip" / "white.png").unlink()
    assert run("collection", "prune", "c", "--yes").endswith("4 taken out; 3 left\n")
    assert "trip/far/black.jpg" in paths()


def test_a_file_that_comes_back_meanwhile_stays(photos: Path) -> None:
    from polyglance.search.pruning import prune, survey

    data = (photos / "red.png").read_bytes()
    (photos / "red.png").unlink()
    (photos / "blue.png").unlink()
    surveyed = survey(Collection.open("c"))
    (photos / "red.png").write_bytes(data)
    assert prune(Path("c"), surveyed.gone) == 1
    assert "red.png" in paths()


def test_names_that_are_not_utf8(photos: Path) -> None:
    strange = os.fsdecode(b"caf\xe9.png")
    (photos / "red.png").rename(photos / strange)
    run("index", photos, "-c", "c")
    assert "all is well" in run("collection", "verify", "c")
    (photos / strange).unlink()
    assert "gone: caf\\xe9.png\n" in run("collection", "prune", "c")
    assert len(paths()) == 6


def test_prune_waits_for_no_writer(photos: Path) -> None:
    (photos / "red.png").unlink()
    with (
        only_writer(Path("c"), CollectionError),
        pytest.raises(CollectionError, match="is being written by process"),
    ):
        run("collection", "prune", "c")
    assert len(paths()) == 7


# mistakes


@pytest.mark.parametrize("verb", ["info", "verify", "prune"])
def test_mistakes_end_in_a_message(
    photos: Path, verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("no collection")
    Path("damaged").mkdir()
    Path("damaged/collection.json").write_text('{"format": 5, "mod')
    for place, message in [
        ("nowhere", "there is no collection at nowhere"),
        ("photos", "there is no collection at photos"),
        ("file", "file/collection.json: cannot be read"),
        ("damaged", "damaged/collection.json is damaged"),
    ]:
        monkeypatch.setattr(sys, "argv", ["polyglance", "collection", verb, place])
        with pytest.raises(SystemExit) as left:
            main.main()
        assert left.value.code == 2
        assert message in capsys.readouterr().err
        assert not Path("nowhere").exists()
