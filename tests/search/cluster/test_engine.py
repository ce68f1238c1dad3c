"""A collection by the workers of a cluster is that of one machine, whoever dies meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from polyglance.errors import ClusterError
from polyglance.search.cluster import engine as cluster_engine
from polyglance.search.cluster import shards
from polyglance.search.cluster.engine import RayEngine
from polyglance.search.cluster.shards import Shard, read_shard
from polyglance.search.cluster.worker import Job, Worker, as_array
from polyglance.search.collection import Collection
from polyglance.search.embed import Embedded
from polyglance.search.indexer import Summary, index
from polyglance.search.scan import scan
from polyglance.search.schema import SHARDS
from search.cluster.conftest import NODE
from support.clustered import (
    DEADLY,
    FREE,
    GATE,
    PATIENCE,
    batches_by_node,
    observed,
    pictures_encoded,
)
from support.colours import PALETTE, ColourEncoder, many_pictures, picture
from support.inline_ray import InlineRay

BATCH = 2
BATCHES = 2  # of a shard

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 files: one of them broken, one a copy, one with a date, one with a name of other times."""
    folder = tmp_path_factory.mktemp("cluster") / "photos"
    many_pictures(folder, 60)
    (folder / "0005x.png").write_bytes(b"broken")
    shutil.copyfile(folder / "0003.png", folder / "copy.png")
    exif = Image.Exif()
    exif[0x0132] = "2024:05:31 18:30:00"
    Image.new("RGB", (40, 30), PALETTE["black"]).save(folder / "dated.jpg", exif=exif)
    picture(folder / "plain.png", "white").rename(folder / os.fsdecode(b"caf\xe9.png"))
    return folder


@pytest.fixture(scope="module")
def whole(photos: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows and summary of one machine."""
    collection = photos.parent / "whole"
    summary = index(photos, collection, encoder=ColourEncoder(), batch_size=BATCH)
    assert summary.indexed == 63
    return rows(collection), told(summary)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "BATCHES", BATCHES)


def by_cluster(
    photos: Path, collection: Path, log: Path, *, workers: int = 2, address: str | None = None
) -> Summary:
    log.mkdir(exist_ok=True)
    engine = RayEngine(workers=workers, address=address, load=partial(observed, log))
    return index(photos, collection, encoder=ColourEncoder(), batch_size=BATCH, engine=engine)


def rows(collection: Path) -> list[dict[str, Any]]:
    return Collection.open(collection).pictures.to_arrow().sort_by("id").to_pylist()


def told(summary: Summary) -> dict[str, Any]:
    """What does not depend on who was how fast: of two copies one may be embedded, or both."""
    return {key: it for key, it in asdict(summary).items() if key not in {"seconds", "encoded"}}


def gated(log: Path) -> Path:
    """The folder, made, of workers that wait before they have done all."""
    log.mkdir()
    (log / GATE).touch()
    return log


def wait_until(true: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < limit, "it never came true"
        time.sleep(0.02)


# with Ray


def test_a_node_that_dies_half_way_changes_nothing(
    cluster: Any, photos: Path, whole: Any, tmp_path: Path
) -> None:
    log, collection = gated(tmp_path / "log"), tmp_path / "collection"
    node = cluster.add_node(num_cpus=1, **NODE)

    def kill_it_at_work() -> None:
        wait_until(lambda: batches_by_node(log)[node.node_id] > FREE)
        cluster.remove_node(node, allow_graceful=False)
        (log / GATE).unlink()

    killer = threading.Thread(target=kill_it_at_work)
    killer.start()
    summary = by_cluster(photos, collection, log, workers=3)
    killer.join()
    assert (rows(collection), told(summary)) == whole
    assert pictures_encoded(log) <= 63 + BATCH * BATCHES  # again at most what it had begun
    assert len(batches_by_node(log)) == 2
    assert not (collection / SHARDS).exists()


DRIVER = """
import sys
from functools import partial
from pathlib import Path
from polyglance.search import indexer
from polyglance.search.cluster import shards
from polyglance.search.cluster.engine import RayEngine
from support.clustered import observed
from support.colours import ColourEncoder

photos, collection, log, address = sys.argv[1:]
indexer.SECONDS_PER_COMMIT = 1000.0
shards.BATCHES = 2
engine = RayEngine(workers=2, address=address, load=partial(observed, Path(log)))
indexer.index(photos, collection, encoder=ColourEncoder(), batch_size=2, engine=engine)
"""


def test_a_run_that_was_killed_is_gone_on_with(
    cluster: Any, photos: Path, whole: Any, tmp_path: Path
) -> None:
    log, collection = gated(tmp_path / "log"), tmp_path / "collection"
    words = [str(photos), str(collection), str(log), cluster.address]
    process = subprocess.Popen([sys.executable, "-c", DRIVER, *words])
    try:
        wait_until(lambda: process.poll() is not None or batches_by_node(log).total() > 2 * FREE)
        assert process.poll() is None, "it ended before it could be killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(Collection.open(collection)) == 0
    fingerprint = ColourEncoder.fingerprint
    files = list((collection / SHARDS).glob("[!.]*"))
    outcomes = [each for path in files for each in read_shard(path, fingerprint=fingerprint)]
    finished = sum(isinstance(each, Embedded) for each in outcomes)
    assert len(files) == 4
    (log / GATE).unlink()

    summary = by_cluster(photos, collection, tmp_path / "second")
    assert (rows(collection), told(summary)) == whole
    assert pictures_encoded(tmp_path / "second") == 63 - finished
    assert not (collection / SHARDS).exists()


def test_changes_are_those_of_one_machine(cluster: Any, photos: Path, tmp_path: Path) -> None:
    ours = tmp_path / "photos"
    shutil.copytree(photos, ours)
    by_cluster(ours, tmp_path / "cluster", tmp_path / "first")
    index(ours, tmp_path / "one", encoder=ColourEncoder(), batch_size=BATCH)
    (ours / "0007.png").rename(ours / "moved.png")
    (ours / "0008.png").unlink()
    picture(ours / "0009.png", "red", "white")
    picture(ours / "0005x.png", "green", "white")
    (ours / "0010.png").write_bytes(b"broken now")
    summary = by_cluster(ours, tmp_path / "cluster", tmp_path / "second")
    alone = index(ours, tmp_path / "one", encoder=ColourEncoder(), batch_size=BATCH)
    assert told(summary) == told(alone)
    assert (summary.indexed, summary.moved, summary.removed) == (2, 1, 1)
    assert pictures_encoded(tmp_path / "second") == 2
    assert rows(tmp_path / "cluster") == rows(tmp_path / "one")


def test_files_that_kill_their_readers_are_named(
    cluster: Any, photos: Path, whole: Any, tmp_path: Path
) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / DEADLY).touch()
    with pytest.raises(ClusterError, match=r"3 workers died.* over the same files, \d+x?\.png … "):
        by_cluster(photos, tmp_path / "collection", tmp_path / "log", workers=1)
    summary = index(photos, tmp_path / "collection", encoder=ColourEncoder(), batch_size=BATCH)
    assert (rows(tmp_path / "collection"), told(summary)) == whole


def test_a_worker_without_the_model_says_so(cluster: Any, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"a worker of the cluster cannot work: .*'colours'"):
        index(photos, tmp_path / "c", encoder=ColourEncoder(), engine=RayEngine(workers=1))


# without


def test_whoever_dies_the_rows_are_those_of_one_machine(
    photos: Path, whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def lives_through(method: str, *_arguments: Any) -> bool:
        calls.append(method)
        return len(calls) % 5 > 0

    ray = InlineRay(lives_through)
    monkeypatch.setattr(cluster_engine, "connected", lambda *_, **__: nullcontext(ray))
    encoder = ColourEncoder()
    engine = RayEngine(load=lambda _name: encoder)
    summary = index(photos, tmp_path / "c", encoder=encoder, batch_size=BATCH, engine=engine)
    assert (rows(tmp_path / "c"), told(summary)) == whole
    assert encoder.pictures_encoded == 63
    assert calls.count("embed") > 16  # as many as there are shards, and those that died
    assert not (tmp_path / "c" / SHARDS).exists()


def leave_over(photos: Path, collection: Path) -> int:
    """Make a collection that knows nothing yet, and all of its files a finished shard."""
    empty = photos.parent / "empty"
    empty.mkdir()
    encoder = ColourEncoder()
    index(empty, collection, encoder=encoder)
    info = collection / "collection.json"
    info.write_text(info.read_text().replace(str(empty.resolve()), str(photos.resolve())))
    folder = collection / SHARDS
    folder.mkdir()
    job = Job(
        model="colours",
        fingerprint=encoder.fingerprint,
        root=photos,
        folder=folder,
        batch_size=BATCH,
        places=True,
        load=lambda _name: encoder,
    )
    worker = Worker(job, as_array(set()))
    assert worker.prepare() == ""
    assert worker.embed(Shard(name="a-000000.arrow", files=scan(photos).pictures)) == ""
    return encoder.pictures_encoded


def no_cluster(*_arguments: Any, **_options: Any) -> Any:
    raise ClusterError("it was asked for")


def test_what_is_left_over_needs_no_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_engine, "connected", no_cluster)
    photos, collection = tmp_path / "photos", tmp_path / "collection"
    many_pictures(photos, 10)
    assert leave_over(photos, collection) == 10
    (collection / SHARDS / ".b-000000-1234.arrow").write_bytes(b"half")
    encoder = ColourEncoder()
    assert index(photos, collection, encoder=encoder, engine=RayEngine()).indexed == 10
    assert encoder.pictures_encoded == 0
    assert not (collection / SHARDS).exists()
    index(photos, tmp_path / "one", encoder=ColourEncoder())
    assert rows(collection) == rows(tmp_path / "one")


def test_what_is_left_over_counts_only_while_it_is_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_engine, "connected", no_cluster)
    photos, collection = tmp_path / "photos", tmp_path / "collection"
    many_pictures(photos, 10)
    leave_over(photos, collection)
    (collection / SHARDS / "b-000000.arrow").write_bytes(b"damaged")
    (photos / "0001.png").unlink()
    picture(photos / "0002.png", "red")
    os.utime(photos / "0002.png", ns=(1, 1))
    with pytest.raises(ClusterError, match="it was asked for"):
        index(photos, collection, encoder=ColourEncoder(), engine=RayEngine())
    kept = {row["path"] for row in rows(collection)}
    assert kept == {f"{n:04}.png" for n in (0, *range(3, 10))}
    assert not list((collection / SHARDS).iterdir())


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"pip install 'polyglance\[cluster\]'"):
        RayEngine()
