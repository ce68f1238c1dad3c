"""A collection's copy on a store: whole, only what is new, followed by readers; and what fails."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import typer
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from polyglance.cli.search import search as search_verb
from polyglance.errors import CollectionError
from polyglance.search import nearest, publishing
from polyglance.search.collection import Collection
from polyglance.search.indexer import index
from polyglance.search.inventory import take_inventory
from polyglance.search.publishing import LEDGER_FILE, publish
from polyglance.search.query import Query
from polyglance.search.schema import picture_id
from polyglance.search.searcher import Searcher
from polyglance.search.store import Store, trouble_of
from polyglance.search.verification import verify
from polyglance.search.writer import open_for_removing, open_for_writing
from polyglance.serve.app import create_app
from support.collections import app, use_colours
from support.colours import ColourEncoder, picture
from support.rows import a_row
from support.stores import KEY, SECRET, make_bucket, refusing_server, store_server, use_store

NAMES = itertools.count()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with store_server() as address:
        yield address


@pytest.fixture
def store(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    use_store(monkeypatch, endpoint)
    bucket = f"bucket-{next(NAMES)}"
    make_bucket(endpoint, bucket)
    return Store.of(f"s3://{bucket}/deep/photos")


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures and their collection, to be copied."""
    photos = tmp_path_factory.mktemp("indexed") / "photos"
    for name in ("red", "green", "blue"):
        picture(photos / f"{name}.png", name)
    (photos / "broken.png").write_bytes(b"no picture")
    bring_up_to_date(photos)
    return photos.parent


@pytest.fixture
def photos(indexed: Path, tmp_path: Path) -> Path:
    shutil.copytree(indexed, tmp_path, dirs_exist_ok=True)
    return tmp_path / "photos"


@pytest.fixture
def folder(photos: Path) -> Path:
    description = photos.parent / "collection" / "collection.json"
    content = json.loads(description.read_text()) | {"root": str(photos)}
    description.write_text(json.dumps(content))
    return description.parent


def bring_up_to_date(photos: Path) -> Path:
    index(photos, photos.parent / "collection", encoder=ColourEncoder())
    return photos.parent / "collection"


def open_searcher(place: str | Path | Store) -> Searcher:
    return Searcher(Collection.open(place), ColourEncoder())


def found(searcher: Searcher, text: str) -> list[tuple[str, float]]:
    return [(hit.name, round(hit.score, 5)) for hit in searcher.search(Query.of(text))]


def best(searcher: Searcher, text: str) -> str:
    return found(searcher, text)[0][0]


def test_a_copy_is_searched_like_the_collection(folder: Path, store: Store) -> None:
    publish(folder, store)
    copied = open_searcher(str(store))
    assert found(copied, "ein rotes Bild") == found(open_searcher(folder), "ein rotes Bild")
    assert best(copied, "ein rotes Bild") == "red.png"
    assert copied.collection.skip_reasons() == Collection.open(folder).skip_reasons()
    assert copied.collection.info == Collection.open(folder).info


def test_a_copy_is_verified_and_described(folder: Path, store: Store) -> None:
    publish(folder, store)
    verdict = verify(store, fingerprint_of=lambda _name: ColourEncoder.fingerprint)
    assert verdict.problems == {}
    assert (verdict.rows, verdict.files) == (3, 3)
    inventory = take_inventory(Collection.open(store))
    assert (inventory.pictures, inventory.skipped) == (3, 1)
    assert inventory.size == sum(store.files().values()) > 0


def test_the_folder_stays_as_it_was(folder: Path, store: Store) -> None:
    publish(folder, store)
    assert sorted(path.name for path in folder.iterdir()) == [
        "collection.json",
        "lance",
        "writer.lock",
    ]
    assert best(open_searcher(folder), "grün") == "green.png"


def test_only_what_is_new_is_written(folder: Path, photos: Path, store: Store) -> None:
    first = publish(folder, store)
    before = store.files()
    assert first.files > 3
    assert publish(folder, store) == (0, 0, 0)
    (photos / "broken.png").unlink()  # changes the one table and not the other
    bring_up_to_date(photos)
    second = publish(folder, store)
    new = store.files().keys() - before.keys()
    assert second.files == len(new) > 0
    assert {name.split("/")[1] for name in new} == {"skipped.lance"}


def test_what_no_table_needs_is_not_copied(folder: Path, photos: Path, store: Store) -> None:
    for name in ("white", "black"):  # each leaves states that are kept for an hour
        picture(photos / f"{name}.png", name)
        bring_up_to_date(photos)
    publish(folder, store)
    there = [name for name in store.files() if "/data/" in name and "pictures" in name]
    here = list((folder / "lance" / "pictures.lance" / "data").iterdir())
    assert len(there) < len(here)
    assert len(Collection.open(store)) == 5


def test_readers_follow(
    folder: Path, photos: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "SECONDS_BETWEEN_LOOKS", 0.0)
    publish(folder, store)
    reader = open_searcher(store)
    assert best(reader, "white") != "new.png"
    picture(photos / "new.png", "white")
    (photos / "red.png").unlink()
    bring_up_to_date(photos)
    assert best(reader, "white") != "new.png"
    publish(folder, store)
    assert best(reader, "white") == "new.png"
    assert "red.png" not in dict(found(reader, "red"))


def test_an_interrupted_copy_changes_nothing_for_readers(
    folder: Path, photos: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(folder, store)
    picture(photos / "new.png", "white")
    bring_up_to_date(photos)
    written: list[str] = []
    write = Store.write

    def fail_at_the_manifest(self: Store, name: str, content: bytes | Path) -> None:
        if name.endswith(".manifest"):
            raise CollectionError("the network is gone")
        written.append(name)
        write(self, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", fail_at_the_manifest)
        with pytest.raises(CollectionError, match="network is gone"):
            publish(folder, store)
    assert any("/data/" in name for name in written)
    assert len(Collection.open(store)) == 3
    again = publish(folder, store)
    assert again.files == 1  # the manifest
    assert len(Collection.open(store)) == 4


def test_a_first_copy_is_valid_with_its_description(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Store.write

    def fail_at_the_description(self: Store, name: str, content: bytes | Path) -> None:
        if name == "collection.json":
            raise CollectionError("the network is gone")
        write(self, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", fail_at_the_description)
        with pytest.raises(CollectionError):
            publish(folder, store)
    with pytest.raises(CollectionError, match=r"no collection at s3://.*collection copy"):
        Collection.open(store)
    publish(folder, store)
    assert len(Collection.open(store)) == 3


def test_what_is_needed_no_more_is_deleted_after_a_while(
    folder: Path, photos: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(folder, store)
    first = store.files()
    picture(photos / "new.png", "white")
    bring_up_to_date(photos)
    assert publish(folder, store).deleted == 0
    assert first.keys() <= store.files().keys()
    reader = open_searcher(store)
    monkeypatch.setattr(publishing, "KEEP_OLD_VERSIONS", timedelta(0))
    assert publish(folder, store).deleted > 0
    assert not first.keys() <= store.files().keys()
    assert set(json.loads(store.read(LEDGER_FILE))["files"]) == {
        name for name in store.files() if name.startswith("lance/")
    }
    assert best(reader, "white") == "new.png"
    assert best(open_searcher(store), "white") == "new.png"
    assert publish(folder, store) == (0, 0, 0)


def test_what_is_not_yet_in_order_is_brought_into_it(
    folder: Path, photos: Path, store: Store
) -> None:
    with open_for_writing(folder, model=ColourEncoder(), root=photos) as writer:
        vector = np.eye(ColourEncoder.dimension, dtype=np.float32)[0]
        writer.upsert([a_row(f"{number}.png", vector) for number in range(100)])
        writer.tidy()
        writer.upsert([a_row("new.png", vector)])
        writer.tidy()
    publish(folder, store)
    assert len(Collection.open(store)) == 104
    assert publish(folder, store) == (0, 0, 0)


def test_a_file_that_was_lost_is_written_again(folder: Path, store: Store) -> None:
    publish(folder, store)
    lost = next(name for name in store.files() if "pictures.lance/data/" in name)
    store.delete(lost)
    damaged = Collection.open(store)
    with pytest.raises(CollectionError, match=r"s3://.*damaged; bring it there again"):
        list(damaged.each_file())
    assert publish(folder, store).files == 1
    assert len(list(Collection.open(store).each_file())) == 3


def test_another_collection_is_refused(folder: Path, tmp_path: Path, store: Store) -> None:
    publish(folder, store)
    description = folder / "collection.json"
    content = json.loads(description.read_text()) | {"created": "2020-01-01T00:00:00Z"}
    description.write_text(json.dumps(content))
    with pytest.raises(CollectionError, match="copy of another collection"):
        publish(folder, store)


def test_an_older_one_is_refused(folder: Path, photos: Path, store: Store) -> None:
    shutil.copytree(folder, photos.parent / "older")
    picture(photos / "new.png", "white")
    bring_up_to_date(photos)
    publish(folder, store)
    with pytest.raises(CollectionError, match="is newer than the collection here"):
        publish(photos.parent / "older", store)
    assert len(Collection.open(store)) == 4


def test_another_state_of_the_same_number_is_refused(
    folder: Path, photos: Path, store: Store
) -> None:
    shutil.copytree(folder, photos.parent / "twin")
    with open_for_removing(folder) as writer:
        writer.remove_pictures([picture_id("red.png")])
    with open_for_removing(photos.parent / "twin") as writer:
        writer.remove_pictures([picture_id("blue.png")])
    publish(folder, store)
    with pytest.raises(CollectionError, match=r"another state .* with the same number"):
        publish(photos.parent / "twin", store)
    assert best(open_searcher(store), "blue") == "blue.png"


def test_strangers_are_left_alone(folder: Path, store: Store) -> None:
    store.write("letters.txt", b"dear")
    with pytest.raises(CollectionError, match="no copy of a collection, and not empty"):
        publish(folder, store)
    assert store.read("letters.txt") == b"dear"
    assert store.files() == {"letters.txt": 4}


def test_an_older_format_is_not_changed_on_the_store(folder: Path, store: Store) -> None:
    publish(folder, store)
    content = json.loads(store.read("collection.json")) | {"format": 2}
    store.write("collection.json", json.dumps(content).encode())
    with pytest.raises(CollectionError, match=r"format 2.*collection copy"):
        Collection.open(store)


def test_no_bucket(folder: Path, store: Store) -> None:
    for act in (Collection.open, lambda place: publish(folder, Store.of(place))):
        with pytest.raises(CollectionError, match="s3://nowhere/photos: there is no such bucket"):
            act("s3://nowhere/photos")


def test_no_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:  # holds the port, so that nobody else listens there
        nobody.bind(("127.0.0.1", 0))
        use_store(monkeypatch, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(CollectionError, match="s3://bucket/photos: the store cannot be reach"):
            Collection.open("s3://bucket/photos")


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_no_rights(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    with refusing_server(code) as address:
        use_store(monkeypatch, address)
        place = Store.of("s3://bucket/photos")
        info = Collection.open(folder).info
        for act in (
            lambda: Collection.open(place),
            lambda: Collection(place, info),  # which LanceDB tells
            lambda: publish(folder, place),
            lambda: place.write("x", b"x"),
        ):
            with pytest.raises(CollectionError, match="the store refuses us") as caught:
                act()
            told = str(caught.value)
            assert KEY not in told
            assert SECRET not in told
            assert caught.value.__cause__ is None


def test_names_of_files_say_nothing_of_what_went_wrong() -> None:
    lost = "Not found: bucket/connect/lance/pictures.lance/data/111100064037744a-403.lance"
    assert trouble_of(OSError(lost)) is None
    refused = trouble_of(OSError(f"GET http://store/{lost} with status 403 Forbidden"))
    assert refused is not None
    assert "refuses us" in refused


@pytest.mark.parametrize(
    "address",
    ["s3://", "s3://bucket", "s3://bucket/", "s3://key:secret@bucket/x", "s3://b/../x", "photos"],
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(CollectionError, match="s3://BUCKET/PATH") as caught:
        Store.of(address)
    assert "secret" not in str(caught.value)


def test_the_verbs(
    folder: Path, photos: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_colours(monkeypatch)
    verbs = CliRunner()
    copied = verbs.invoke(app, ["collection", "copy", str(folder), str(store)])
    assert copied.exit_code == 0
    assert "files written" in copied.stdout
    assert verbs.invoke(app, ["collection", "verify", str(store)]).exit_code == 0
    described = verbs.invoke(app, ["collection", "info", str(store), "--json"])
    assert json.loads(described.stdout)["collection"] == str(store)
    searching = typer.Typer()
    searching.command()(search_verb)
    asked = verbs.invoke(searching, ["--collection", str(store), "ein rotes Bild"])
    assert "red.png" in asked.stdout.splitlines()[0]
    for verb in (
        ["index", str(photos), "--collection", str(store)],
        ["collection", "prune", str(store)],
        ["collection", "repair", str(store)],
    ):
        refused = verbs.invoke(app, verb)
        assert isinstance(refused.exception, CollectionError)
        assert "only read" in str(refused.exception)


def test_the_server(folder: Path, photos: Path, store: Store) -> None:
    publish(folder, store)
    client = TestClient(
        create_app(Collection.open(store), ColourEncoder()), base_url="http://127.0.0.1:8000"
    )
    assert client.get("/ready").status_code == 200
    answer = client.get("/api/v1/search", params={"q": "ein rotes Bild", "language": "de"})
    assert answer.json()["hits"][0]["path"] == "red.png"
    identity = answer.json()["hits"][0]["id"]
    assert client.get(f"/thumbnail/{identity}").status_code == 200
