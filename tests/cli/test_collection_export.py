"""``collection export``: what it writes is read back, by our own readers and by others."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from polyglance.cli import main
from polyglance.data.manifest import read_manifest, write_manifest
from polyglance.data.record import Record
from polyglance.errors import CollectionError
from polyglance.search import export as exporting
from polyglance.search.collection import Collection
from support.clips import clip
from support.collections import photos_of_three_folders, run, use_colours
from support.colours import picture

CAPTIONS = {"de": ("ein Bild", "noch eins"), "zh-Hant": ("圖片",)}


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seven photos, one of them captioned, indexed as ``c`` by a manifest above them."""
    use_colours(monkeypatch)
    monkeypatch.chdir(tmp_path)
    folder = photos_of_three_folders(tmp_path / "photos")
    records = [
        Record(id=path.name, image=path, captions=CAPTIONS if path.stem == "red" else {})
        for path in sorted(folder.rglob("*.*"))
    ]
    write_manifest(records, tmp_path / "photos.jsonl")
    run("index", "photos.jsonl", "-c", "c", "--model", "colours")
    return folder


def lines(path: str) -> dict[str, dict[str, Any]]:
    read = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    return {line["path"]: line for line in read}


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_it_is_a_manifest_with_all_that_is_known(photos: Path, name: str) -> None:
    assert run("collection", "export", "c", "--output", name) == f"{name}: 7 lines\n"
    records = {record.file: record for record in read_manifest(name)}
    assert set(records) == {path for path in photos.rglob("*.*") if path.is_file()}
    red = records[photos / "red.png"]
    assert red.captions == CAPTIONS
    assert red.extra["path"] == str(photos / "red.png")
    assert red.extra["size"] == (photos / "red.png").stat().st_size
    assert red.extra["date"] is None if name == "out.jsonl" else "date" not in red.extra
    assert len(red.extra["hash"]) == 32
    assert (red.extra["width"], red.extra["height"]) == (48, 32)
    date = records[photos / "trip" / "far" / "black.jpg"].extra["date"]
    taken = datetime(2024, 5, 31, 18, 30)
    assert date == (taken.isoformat() if name == "out.jsonl" else taken)
    again = run("index", name, "-c", "c")
    assert "0 indexed, 7 unchanged" in again


def test_vectors_beside_json_lines_are_in_the_order_of_the_lines(photos: Path) -> None:
    output = run("collection", "export", "c", "--output", "out.jsonl", "--embeddings")
    assert output == "out.jsonl: 7 lines\nout.npy: 7 × 7\n"
    vectors = np.load("out.npy")
    stored = Collection.open("c").rows(line["id"] for line in lines("out.jsonl").values())
    for line, vector in zip(lines("out.jsonl").values(), vectors, strict=True):
        assert np.array_equal(vector, np.float32(stored[line["id"]]["embedding"]))


def test_vectors_in_parquet_are_a_column(photos: Path) -> None:
    run("collection", "export", "c", "--output", "out.parquet", "--embeddings")
    table = parquet.read_table("out.parquet")
    assert table.schema.field("embedding").type.list_size == 7
    stored = Collection.open("c").rows(table["id"].to_pylist())
    for row in table.to_pylist():
        assert row["embedding"] == stored[row["id"]]["embedding"]
    assert not Path("out.npy").exists()
    assert len(read_manifest("out.parquet")) == 7


def test_a_video_is_one_line_or_with_vectors_one_a_frame(photos: Path) -> None:
    clip(photos / "v.mp4", "red", "blue")
    run("index", "photos", "-c", "v", "--model", "colours")
    run("collection", "export", "v", "--output", "out.jsonl")
    read = [line for line in lines("out.jsonl").values() if "video" in line]
    assert [line["video"] for line in read] == ["photos/v.mp4"]
    assert "moment" not in read[0]
    run("collection", "export", "v", "--output", "out.jsonl", "--embeddings")
    listed = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    frames = [line for line in listed if "video" in line]
    assert len(frames) == len(Collection.open("v")) - 7 > 1
    assert len({line["moment"] for line in frames}) == len(frames)
    assert len(read_manifest("out.jsonl")) == len(listed) == len(np.load("out.npy"))
    described = json.loads(run("collection", "info", "v", "--json"))
    assert (described["pictures"], described["videos"]) == (7, 1)
    assert described["rows"] == 7 + len(frames)


def test_files_that_a_manifest_cannot_name_have_their_path(photos: Path) -> None:
    strange = os.fsdecode(b"caf\xe9.png")
    picture(photos / strange, "red")
    run("index", "photos", "-c", "s", "--model", "colours")
    output = run("collection", "export", "s", "--output", "photos/out.jsonl")
    assert "only a 'path': 1;" in output
    assert "image" not in lines("photos/out.jsonl")[f"{photos}/caf\\xe9.png"]
    output = run("collection", "export", "s", "--output", "elsewhere/out.jsonl")
    assert f"only a 'path': 8; as a manifest, write the file into {photos}" in output


def test_an_empty_collection_has_nothing_to_export(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    run("index", "none", "-c", "empty", "--model", "colours")
    with pytest.raises(CollectionError, match="is empty; there is nothing to export"):
        run("collection", "export", "empty", "--output", "out.jsonl")


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_an_interrupted_export_leaves_the_older_one(
    photos: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("collection", "export", "c", "--output", name, "--embeddings")
    before = {path: path.read_bytes() for path in Path().glob("out.*")}

    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "_row", interrupted)
    monkeypatch.setattr(sys, "argv", ["polyglance", "collection", "export", "c", "--output", name])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == 130
    assert "interrupted; run the same command again to go on" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path().glob("*out*")} == before


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("out.csv", "out.csv: the name of an export ends in .jsonl or .parquet"),
        ("folder.jsonl", "folder.jsonl: a folder; name a file"),
        ("photos.jsonl/out.jsonl", "photos.jsonl/out.jsonl: cannot be written: "),
    ],
)
def test_mistakes(photos: Path, output: str, message: str) -> None:
    Path("folder.jsonl").mkdir()
    with pytest.raises(CollectionError, match=message):
        run("collection", "export", "c", "--output", output)
