"""What may not be read, and what may not be written; as a user to whom that applies."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from polyglance.errors import CollectionError
from polyglance.search.collection import Collection
from polyglance.search.indexer import index
from polyglance.search.query import Query
from polyglance.search.searcher import Searcher
from support.colours import PALETTE, ColourEncoder, picture
from support.nobody import NOBODY, as_nobody


@pytest.fixture
def photos(own_folder: Path) -> Path:
    """Seven colours, two of them in a folder, which have been indexed once."""
    for number, colour in enumerate(PALETTE):
        folder = own_folder / "photos" / ("trip" if number > 4 else "")
        picture(folder / f"{colour}.png", colour)
    index(own_folder / "photos", own_folder / "c", encoder=ColourEncoder())
    for each in [own_folder, *own_folder.rglob("*")]:
        _give(each)
    return own_folder / "photos"


def _give(path: Path) -> None:
    with suppress(PermissionError):  # where we are not root, we own it ourselves
        shutil.chown(path, NOBODY, NOBODY)


def paths(photos: Path) -> set[str]:
    return {file.path for file in Collection.open(photos.parent / "c").each_file()}


def test_a_file_that_may_not_be_read_is_listed_and_tried_again(photos: Path) -> None:
    file = picture(photos / "new.png", "red", "blue")
    _give(file)
    file.chmod(0)
    with as_nobody():
        summary = index(photos, photos.parent / "c", encoder=ColourEncoder())
    assert summary.skipped == [("new.png", "cannot be read: Permission denied")]
    file.chmod(0o644)
    with as_nobody():
        assert index(photos, photos.parent / "c", encoder=ColourEncoder()).indexed == 1


def test_a_file_that_may_no_longer_be_read_is_kept(photos: Path) -> None:
    (photos / "red.png").chmod(0)
    with as_nobody():
        assert index(photos, photos.parent / "c", encoder=ColourEncoder()).unchanged == 7
    assert len(paths(photos)) == 7


def test_a_folder_that_may_no_longer_be_read_keeps_its_pictures(photos: Path) -> None:
    (photos / "trip").chmod(0)
    with as_nobody():
        summary = index(photos, photos.parent / "c", encoder=ColourEncoder())
    (photos / "trip").chmod(0o755)
    assert summary.skipped == [("trip/", "folder cannot be read: Permission denied")]
    assert len(paths(photos)) == 7


def test_a_collection_that_may_not_be_written_can_be_searched(photos: Path) -> None:
    collection = photos.parent / "c"
    for each in [collection, *collection.rglob("*")]:
        each.chmod(0o555 if each.is_dir() else 0o444)
    picture(photos / "new.png", "red", "blue")
    with as_nobody():
        with pytest.raises(CollectionError, match="cannot write there: Permission denied"):
            index(photos, collection, encoder=ColourEncoder())
        searcher = Searcher(Collection.open(collection), ColourEncoder())
        assert searcher.search(Query.of("rot"), top=1)[0].name == "red.png"


def test_a_collection_that_may_not_be_read_is_named(photos: Path) -> None:
    (photos.parent / "c" / "collection.json").chmod(0)
    with (
        as_nobody(),
        pytest.raises(CollectionError, match=r"collection\.json: cannot be read: Permission"),
    ):
        Collection.open(photos.parent / "c")
