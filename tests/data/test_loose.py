"""Loose pictures on a store that become a folder here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from polyglance.cli.main import app
from polyglance.data.loose import Loose, fetch_loose, find_loose
from polyglance.data.shards import find_shards
from polyglance.errors import ManifestError
from polyglance.search.store import SCHEME, Store
from support.stores import make_bucket, store_server, use_store

SOURCE = "s3://pictures/all"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with store_server() as address:
        make_bucket(address, "pictures")
        yield address


@pytest.fixture
def store(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    use_store(monkeypatch, endpoint)
    store = Store.of(SOURCE)
    store.write("dog.jpg", b"a dog")
    store.write("2024/July/bäume.PNG", b"trees")
    yield store
    for name in store.files():
        store.delete(name)


def fetch(*sources: str, folder: Path) -> str:
    arguments = ["data", "fetch", *sources, "--output", str(folder)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_folder_that_looks_the_same(store: Store, tmp_path: Path) -> None:
    store.write("notes.txt", b"no picture")
    store.write(".thumbnails/dog.jpg", b"hidden")
    folder = tmp_path / "here"
    assert f"2 pictures in {folder}" in fetch(SOURCE, folder=folder)
    assert contents(folder) == {"dog.jpg": b"a dog", "2024/July/bäume.PNG": b"trees"}


def test_a_whole_bucket(store: Store, tmp_path: Path) -> None:
    fetch("s3://pictures", folder=tmp_path)
    assert contents(tmp_path).keys() == {"all/dog.jpg", "all/2024/July/bäume.PNG"}
    assert len(store.files()) == 2


def test_nothing_is_there(store: Store) -> None:
    for source in (f"{SCHEME}pictures/none", str(store)):
        found = find_loose([source], Store.anywhere)
        assert (source in found) == (source == SOURCE)
    with pytest.raises(ManifestError, match=r"no archive .* and no picture"):
        list(find_shards(["s3://pictures/none"], Store.anywhere))


def test_only_what_is_new_or_has_changed_is_brought_again(store: Store, tmp_path: Path) -> None:
    fetch(SOURCE, folder=tmp_path)
    store.write("cat.jpg", b"a cat")
    store.write("dog.jpg", b"another dog")
    assert "2 pictures" in (told := fetch(f"{SOURCE}/", folder=tmp_path))
    assert "1 more were there" in told
    assert contents(tmp_path)["dog.jpg"] == b"another dog"


def test_pictures_beside_shards_are_left(store: Store, tmp_path: Path) -> None:
    store.write("photos.tar", b"an archive")
    assert find_loose([SOURCE], Store.of) == {}
    fetch(SOURCE, folder=tmp_path)
    assert contents(tmp_path) == {"photos.tar": b"an archive"}


def test_shards_and_pictures_of_several_sources(store: Store, tmp_path: Path) -> None:
    archive = tmp_path / "photos.tar"
    archive.write_bytes(b"an archive")
    told = fetch(str(archive), SOURCE, folder=tmp_path / "here")
    assert "2 pictures" in told
    assert "1 archives" in told
    assert len(contents(tmp_path / "here")) == 3


@pytest.mark.parametrize("name", ["../../evil.jpg", "a/../../evil.jpg", "/evil.jpg", "a//b.jpg"])
def test_names_that_lead_elsewhere(name: str) -> None:
    class Odd:
        def files(self) -> dict[str, int]:
            return {"good.jpg": 1, name: 1}

        def fetch(self, name: str, path: Path) -> None:
            raise AssertionError(f"{name} must not be fetched to {path}")

    with pytest.raises(ManifestError, match=r"s3://b/x/.*cannot have such a name"):
        find_loose(["s3://b/x"], lambda _: Odd())


def test_a_store_is_listed_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write("photos.tar", b"an archive")
    listed = []

    def files(place: Store) -> dict[str, int]:
        listed.append(str(place))
        return {"photos.tar": 10}

    with monkeypatch.context() as patched:
        patched.setattr(Store, "files", files)
        fetch(SOURCE, folder=tmp_path)
    assert listed == [SOURCE]


def test_the_same_name_twice(store: Store) -> None:
    store.write("other/dog.jpg", b"another dog")
    with pytest.raises(ManifestError, match="would become one file"):
        find_loose([SOURCE, f"{SOURCE}/other"], Store.of)


def test_one_that_left_meanwhile(store: Store, tmp_path: Path) -> None:
    files = find_loose([SOURCE], Store.of)[SOURCE]
    store.delete("dog.jpg")
    done = fetch_loose(files, tmp_path)
    assert done.gone == ["s3://pictures/all/dog.jpg"]
    assert [path.name for path in done.files] == ["bäume.PNG"]
    assert contents(tmp_path) == {"2024/July/bäume.PNG": b"trees"}


def test_a_place_that_cannot_be_written(store: Store, tmp_path: Path) -> None:
    (tmp_path / "2024").write_bytes(b"no folder")
    with pytest.raises(ManifestError, match=r"bäume\.PNG: cannot be written: "):
        fetch_loose(find_loose([SOURCE], Store.of)[SOURCE], tmp_path)


def test_an_interruption_leaves_whole_files(tmp_path: Path) -> None:
    class Breaking:
        def files(self) -> dict[str, int]:
            return {"a.jpg": 4}

        def fetch(self, _name: str, path: Path) -> None:
            path.write_bytes(b"ha")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_loose([Loose(Breaking(), "a.jpg", 4, "s3://b/x/a.jpg")], tmp_path)
    assert contents(tmp_path) == {}
