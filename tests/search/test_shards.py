"""A manifest of pictures in tar archives is indexed, searched and looked after like any other."""

from __future__ import annotations

import os
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from polyglance.data.prepare import prepare_manifest
from polyglance.data.readers import ReaderOptions
from polyglance.search.cluster import engine as cluster_engine
from polyglance.search.cluster.engine import RayEngine
from polyglance.search.collection import Collection
from polyglance.search.filters import Filters
from polyglance.search.indexer import index
from polyglance.search.presence import Looks, Presence
from polyglance.search.query import Query
from polyglance.search.searcher import Searcher
from polyglance.search.verification import verify
from polyglance.serve.app import create_app
from support.clips import clip
from support.colours import PALETTE, ColourEncoder
from support.inline_ray import InlineRay
from support.shards import picture, shard

ADDRESS = "http://127.0.0.1:8000"
COLOURS = ["red", "green", "blue", "yellow"]
PATHS = [f"shards/{number // 2}.tar/{number}.jpg" for number in range(4)]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    for number in (0, 1):
        files: dict[str, bytes | str] = {}
        for each in (2 * number, 2 * number + 1):
            files |= {f"{each}.jpg": picture(COLOURS[each]), f"{each}.txt": f"number {each}"}
        shard(tmp_path / "shards" / f"{number}.tar", files)
    return prepared(tmp_path)


def prepared(folder: Path) -> Path:
    options = ReaderOptions(languages=("en",))
    output = folder / "all.jsonl"
    prepare_manifest("webdataset", [folder / "shards"], output, options=options)
    return output


def collection_of(manifest: Path) -> Collection:
    return Collection.open(manifest.parent / "collection")


def rows(manifest: Path) -> dict[str, Any]:
    table = collection_of(manifest).pictures.to_arrow()
    return {row["path"]: row for row in table.to_pylist()}


def run(manifest: Path) -> tuple[int, int, int, int]:
    done = index(manifest, manifest.parent / "collection", encoder=ColourEncoder())
    assert done.skipped == []
    return done.indexed, done.unchanged, done.moved, done.removed


def test_it_is_searched_by_text_and_by_caption(manifest: Path) -> None:
    assert run(manifest) == (4, 0, 0, 0)
    assert run(manifest) == (0, 4, 0, 0)
    searcher = Searcher(collection_of(manifest), ColourEncoder())
    for colour, path in zip(COLOURS, PATHS, strict=True):
        assert searcher.search(Query.of(colour), top=1)[0].path == manifest.parent / path
    filters = Filters.of(caption="number 2")
    hits = searcher.search(Query.of("red"), filters=filters)
    assert [hit.path for hit in hits] == [manifest.parent / PATHS[2]]


def test_the_server_shows_it(manifest: Path) -> None:
    run(manifest)
    client = TestClient(create_app(collection_of(manifest), ColourEncoder()), base_url=ADDRESS)
    hit = client.get("/api/v1/search", params={"q": "blue"}).json()["hits"][0]
    for kind in ("thumbnail", "picture"):
        answer = client.get(f"/{kind}/{hit['id']}")
        assert answer.headers["content-type"] == "image/jpeg"
        shown = np.asarray(Image.open(BytesIO(answer.content)).convert("RGB"))
        assert np.abs(shown.mean((0, 1)) - PALETTE["blue"]).max() < 5


def test_workers_of_a_cluster_read_it(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(manifest)
    expected = rows(manifest)
    ray = InlineRay(lambda *_: True)
    monkeypatch.setattr(cluster_engine, "connected", lambda *_, **__: nullcontext(ray))
    encoder = ColourEncoder()
    engine = RayEngine(load=lambda _name: encoder)
    index(manifest, manifest.parent / "clustered", encoder=encoder, engine=engine)
    found = Collection.open(manifest.parent / "clustered").pictures.to_arrow().to_pylist()
    assert {row["path"]: row["embedding"] for row in found} == {
        path: row["embedding"] for path, row in expected.items()
    }


def test_videos_in_archives_are_sampled(tmp_path: Path) -> None:
    video = clip(tmp_path / "plain.mp4", "red", "blue", seconds=2)
    shard(tmp_path / "shards" / "0.tar", {"1.mp4": video.read_bytes()})
    video.unlink()
    manifest = prepared(tmp_path)
    assert run(manifest) == (1, 0, 0, 0)
    hit = Searcher(collection_of(manifest), ColourEncoder()).search(Query.of("blue"), top=1)[0]
    assert hit.moment is not None
    assert hit.moment >= 2


def test_archives_that_change_are_followed(manifest: Path) -> None:
    run(manifest)
    first = manifest.parent / "shards" / "0.tar"
    shard(first, {"1.jpg": picture("green"), "9.jpg": picture("purple")})  # without the red one
    os.utime(first, ns=(0, 10**18))
    prepared(manifest.parent)
    assert run(manifest) == (1, 3, 0, 1)
    assert sorted(rows(manifest)) == [PATHS[1], "shards/0.tar/9.jpg", *PATHS[2:]]


def test_what_became_of_members_is_seen(manifest: Path) -> None:
    run(manifest)
    shards = manifest.parent / "shards"
    collection = collection_of(manifest)

    def presences() -> dict[str, Presence]:
        return {file.path: presence for file, presence in Looks(collection).each()}

    verdict = verify(
        collection.folder, fingerprint_of=lambda _: ColourEncoder.fingerprint, content=True
    )
    assert (verdict.files, verdict.problems) == (4, {})
    assert set(presences().values()) == {Presence.UNCHANGED}
    shard(shards / "0.tar", {"1.jpg": picture("green")})
    os.utime(shards / "0.tar", ns=(0, 10**18))
    assert presences() == {
        PATHS[0]: Presence.GONE,
        PATHS[1]: Presence.CHANGED,
        PATHS[2]: Presence.UNCHANGED,
        PATHS[3]: Presence.UNCHANGED,
    }
    (shards / "1.tar").unlink()
    assert presences()[PATHS[2]] == Presence.GONE
    (shards / "0.tar").unlink()  # now the folder is empty, as where nothing is mounted
    assert set(presences().values()) == {Presence.OUT_OF_REACH}
