"""Shards of datasets, local and on a store, that become archives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from polyglance.cli.main import app
from polyglance.data.decode import open_picture
from polyglance.data.manifest import read_manifest
from polyglance.data.shards import Fetched, fetch_shards, find_shards
from polyglance.data.tar_members import members, open_file
from polyglance.errors import CollectionError, ManifestError
from polyglance.search.store import Store
from support.colours import picture
from support.shards import shard
from support.stores import make_bucket, store_server, use_store


def rows(folder: Path, colours: str) -> dict[str, list[Any]]:
    """A table as published ones are: pictures in structs, captions in lists."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = [picture(folder / f"{each}.png", each).read_bytes() for each in colours.split()]
    return {
        "image": [{"bytes": content, "path": None} for content in contents],
        "english": [[f"something {each}", f" {each} "] for each in colours.split()],
        "german": [f"etwas {each}" for each in colours.split()],
        "number": list(range(len(contents))),
    }


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "published" / "train-00000-of-00001.parquet"
    parquet.write_table(pa.table(rows(path.parent, "red green blue")), path, row_group_size=2)
    return path


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def brought(sources: list[str], folder: Path, *, open_store: Any, **options: Any) -> Fetched:
    return fetch_shards(list(find_shards(sources, open_store)), folder, **options)


def nowhere(address: str) -> Store:
    raise AssertionError(f"{address} must not be asked")


def test_rows_become_samples_that_are_read_in_place(table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    asked = ["data", "fetch", table, "--output", folder, "--caption", "en=english"]
    told = run(*asked, "--caption", "de=german")
    assert told == f"1 archives in {folder}; 3 samples from Parquet files\n"
    manifest = folder / "all.jsonl"
    run("data", "prepare", "webdataset", folder, "--output", manifest)
    found = read_manifest(manifest)
    assert [record.captions for record in found] == [
        {"en": (f"something {each}", each), "de": (f"etwas {each}",)}
        for each in ("red", "green", "blue")
    ]
    for record, colour in zip(found, ("red", "green", "blue"), strict=True):
        assert record.image is not None
        assert record.image.parent.name == "train-00000-of-00001.tar"
        with open_file(record.image) as file:
            assert file.read() == (table.parent / f"{colour}.png").read_bytes()
        assert open_picture(record.image).mode == "RGB"


def test_what_is_there_is_not_made_again(table: Path, tmp_path: Path) -> None:
    shard(table.parent / "other.tar", {"0.jpg": b"bytes", "0.txt": "a text"})
    folder = tmp_path / "shards"
    first = brought([str(table.parent)], folder, open_store=nowhere)
    assert [each.name for each in first.archives] == ["other.tar", "train-00000-of-00001.tar"]
    assert (folder / "other.tar").read_bytes() == (table.parent / "other.tar").read_bytes()
    (folder / "other.tar").unlink()
    before = (folder / "train-00000-of-00001.tar").stat()
    again = brought([str(table.parent)], folder, open_store=nowhere)
    assert ([each.name for each in again.archives], again.kept) == (["other.tar"], 1)
    assert (folder / "train-00000-of-00001.tar").stat() == before


def test_rows_without_a_picture_are_counted(tmp_path: Path) -> None:
    content = picture(tmp_path / "red.png", "red").read_bytes()
    table = pa.table({"data": [content, None, b"no picture"], "key": ["a", "b", "c"]})
    parquet.write_table(table, tmp_path / "part.parquet")
    done = brought([str(tmp_path / "part.parquet")], tmp_path / "out", open_store=nowhere)
    assert (done.samples, done.empty) == (1, 2)
    assert list(members(tmp_path / "out" / "part.tar")) == ["0.png"]


def test_mistakes_are_told(table: Path, tmp_path: Path) -> None:
    def fetch(*sources: Path, **options: Any) -> None:
        brought([str(each) for each in sources], tmp_path / "out", open_store=nowhere, **options)

    with pytest.raises(ManifestError, match="has no column 'pictures'; there are image, english"):
        fetch(table, picture="pictures")
    with pytest.raises(ManifestError, match="has no column 'x'"):
        fetch(table, captions={"en": "x"})
    with pytest.raises(ManifestError, match=r"no archive .* is there"):
        fetch(tmp_path / "missing")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / table.name).write_bytes(table.read_bytes())
    with pytest.raises(ManifestError, match="would become one archive"):
        fetch(table, tmp_path / "copy")
    two = tmp_path / "two.parquet"
    parquet.write_table(pa.table({"a": [b"1"], "b": [b"2"]}), two)
    with pytest.raises(ManifestError, match="several columns that may hold pictures: a, b"):
        fetch(two)
    none = tmp_path / "none.parquet"
    parquet.write_table(pa.table({"a": [1]}), none)
    with pytest.raises(ManifestError, match="no column with pictures inside"):
        fetch(none)
    assert not list((tmp_path / "out").iterdir())
    result = CliRunner().invoke(
        app, ["data", "fetch", str(table), "--output", "x", "--caption", "en"]
    )
    assert (result.exit_code, "is not TAG=COLUMN" in result.output) == (2, True)


def test_a_damaged_file_leaves_no_archive(table: Path, tmp_path: Path) -> None:
    whole = bytearray(table.read_bytes())
    whole[200:1000] = bytes(800)  # in the first pictures
    table.write_bytes(whole)
    with pytest.raises(ManifestError, match=r"not a readable Parquet file|cannot be read"):
        brought([str(table)], tmp_path / "out", open_store=nowhere)
    table.write_bytes(b"PAR1 and no more")
    with pytest.raises(ManifestError, match="not a readable Parquet file"):
        brought([str(table)], tmp_path / "out", open_store=nowhere)
    assert not list((tmp_path / "out").iterdir())


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with store_server() as address:
        yield address


def test_from_a_store(
    table: Path, tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_store(monkeypatch, endpoint)
    make_bucket(endpoint, "published")
    store = Store.of("s3://published/photos/v1")
    archive = shard(tmp_path / "1.tar", {"0.jpg": b"bytes", "0.json": json.dumps({"caption": "x"})})
    store.write("sub/1.tar", archive)
    store.write("train.parquet", table)
    store.write("README.md", b"# Photos")
    folder = tmp_path / "out"
    assert "2 archives" in run("data", "fetch", "s3://published/photos/v1", "--output", folder)
    assert sorted(each.name for each in folder.iterdir()) == ["1.tar", "train.tar"]
    assert (folder / "1.tar").read_bytes() == archive.read_bytes()
    assert list(members(folder / "train.tar")) == ["0.png", "1.png", "2.png"]
    alone = tmp_path / "alone"
    brought(["s3://published/photos/v1/train.parquet"], alone, open_store=Store.of)
    assert [each.name for each in alone.iterdir()] == ["train.tar"]
    with pytest.raises(ManifestError, match=r"gone\.tar: no such file"):
        brought(["s3://published/photos/v1/gone.tar"], alone, open_store=Store.of)
    with pytest.raises(ManifestError, match="no archive"):
        brought(["s3://published/nothing"], alone, open_store=Store.of)
    with pytest.raises(CollectionError, match="no such bucket"):
        brought(["s3://elsewhere/photos"], alone, open_store=Store.of)
    assert [each.name for each in alone.iterdir()] == ["train.tar"]
