"""Feature stores know a picture again by its content when only the file's time has changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from polyglance.data import stamps
from polyglance.data.feature_building import BuildReport, build_feature_store
from polyglance.data.feature_store import FeatureStore, FeatureStoreWriter, restamp
from polyglance.data.record import Record
from polyglance.data.views import View
from polyglance.errors import ModelError
from polyglance.vision.preprocessing import Preprocessing


def pictures(folder: Path, count: int) -> list[Record]:
    folder.mkdir(exist_ok=True)
    for n in range(count):
        Image.new("RGB", (16, 12), (n * 9, n, 255 - n)).save(folder / f"{n}.bmp")
    return [Record(id=f"p{n}", image=folder / f"{n}.bmp", captions={}) for n in range(count)]


def mean(pixels: Tensor) -> Tensor:
    return pixels.float().mean(dim=(2, 3)) / 255  # (batch, 3)


def build(
    records: list[Record], folder: Path, *, views: int = 1
) -> tuple[FeatureStore, BuildReport]:
    return build_feature_store(
        records,
        encode=mean,
        preprocessing=Preprocessing(size=8),
        fingerprint="abc",
        folder=folder,
        dtype="float32",
        batch_size=4,
        views=views,
    )


def copy_anew(record: Record) -> None:
    """The same bytes with another time, as ``cp`` or an archive leaves them."""
    path = record.image
    assert path is not None
    moved = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(moved, moved))


def entries(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "keys.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("views", [1, 3])
def test_copies_are_not_encoded_again(
    tmp_path: Path, views: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, folder = pictures(tmp_path / "in", 6), tmp_path / "store"
    before, report = build(records, folder, views=views)
    assert report.encoded == 6 * views
    rows = (folder / "rows.bin").read_bytes()
    for record in records[:4]:
        copy_anew(record)
    store, report = build(records, folder, views=views)
    assert (report.encoded, report.reused, report.skipped) == (0, 6 * views, {})
    assert (folder / "rows.bin").read_bytes() == rows
    assert store.keys == before.keys
    for record in records:
        for number in range(views):
            assert store.stamp(View(record, number).key) == stamps.stamp(record.image)

    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} was read, though its time is known")

    monkeypatch.setattr("polyglance.data.feature_building.look", refuse)
    assert build(records, folder, views=views)[1].reused == 6 * views


def test_other_content_is_encoded_whatever_its_size(tmp_path: Path) -> None:
    records, folder = pictures(tmp_path / "in", 5), tmp_path / "store"
    build(records, folder)
    size = records[0].image.stat().st_size
    Image.new("RGB", (16, 12), (1, 2, 3)).save(records[0].image)
    assert records[0].image.stat().st_size == size
    Image.new("RGB", (20, 12), (4, 5, 6)).save(records[1].image)
    for record in records[:3]:
        copy_anew(record)
    store, report = build(records, folder)
    assert (report.encoded, report.reused) == (2, 3)
    found = store.rows([str(record.image) for record in records[:3]])
    expected = np.array([[1, 2, 3], [4, 5, 6], [18, 2, 253]]) / 255
    assert found == pytest.approx(expected, abs=1e-6)


def test_stores_from_before_digests_are_read_and_kept(tmp_path: Path) -> None:
    """Their lines have a key and a stamp, as all versions wrote them that knew no digests."""
    records, folder = pictures(tmp_path / "in", 5), tmp_path / "store"
    build(records, folder)
    old = [{"key": entry["key"], "stamp": entry["stamp"]} for entry in entries(folder)]
    text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in old)
    (folder / "keys.jsonl").write_text(text)
    assert FeatureStore(folder).digest(old[0]["key"]) is None
    assert build(records, folder)[1].reused == 5
    assert (folder / "keys.jsonl").read_text() == text  # nothing to note
    copy_anew(records[0])
    store, report = build(records, folder)  # what was in it then, nobody knows
    assert (report.encoded, report.reused) == (1, 4)
    assert (folder / "keys.jsonl").read_text().startswith(text)
    assert store.digest(str(records[0].image)) == stamps.digest(records[0].image)
    copy_anew(records[0])
    copy_anew(records[1])
    assert build(records, folder)[1].encoded == 1


def test_records_may_share_a_picture(tmp_path: Path) -> None:
    records, folder = pictures(tmp_path / "in", 5), tmp_path / "store"
    twice = [*records, *records]
    store, report = build(twice, folder)
    assert len(store) == 5
    assert store.digest(str(records[4].image)) == stamps.digest(records[4].image)
    copy_anew(records[4])
    _, report = build(twice, folder)
    assert (report.encoded, report.reused) == (0, 10)


def test_a_file_that_is_gone_or_torn_does_not_break_the_rest(tmp_path: Path) -> None:
    records, folder = pictures(tmp_path / "in", 5), tmp_path / "store"
    build(records, folder)
    records[0].image.unlink()
    content = records[1].image.read_bytes()
    records[1].image.write_bytes(b"\0" * len(content))
    copy_anew(records[1])
    copy_anew(records[2])
    _, report = build(records, folder)
    assert (report.encoded, report.reused) == (0, 3)
    assert set(report.skipped) == {"p0", "p1"}


def test_new_stamps_keep_rows_and_keys_in_step(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with FeatureStoreWriter(folder, fingerprint="a", shape=(2,)) as writer:
        writer.append(["x", "y"], np.array([[1, 1], [2, 2]]), ["1", "2"], ["one", None])
        writer.append(["x"], np.array([[3, 3]]), ["3"], ["three"])  # encoded again
        with pytest.raises(ModelError, match="is being written"):
            restamp(folder, {"x": "4"})
    with (folder / "rows.bin").open("ab") as rows, (folder / "keys.jsonl").open("ab") as keys:
        rows.write(b"\1" * 7)  # as if killed
        keys.write(b'{"key": "z", "sta')
    restamp(folder, {"x": "4", "unknown": "5"})
    assert entries(folder) == [
        {"key": "x", "stamp": "1", "digest": "one"},
        {"key": "y", "stamp": "2"},
        {"key": "x", "stamp": "4", "digest": "three"},
    ]
    assert [path.name for path in sorted(folder.iterdir())] == [
        "keys.jsonl", "meta.json", "rows.bin", "writer.lock",
    ]  # fmt: skip
    with FeatureStoreWriter(folder, fingerprint="a", shape=(2,)) as writer:
        writer.append(["z"], np.array([[5, 5]]), ["6"])
    assert FeatureStore(folder).rows(["x", "y", "z"])[:, 0].tolist() == [3, 2, 5]
    with (
        FeatureStoreWriter(folder, fingerprint="a", shape=(2,)) as writer,
        pytest.raises(ValueError, match="1 keys, 1 stamps, 2 digests"),
    ):
        writer.append(["z"], np.array([[5, 5]]), ["6"], ["a", "b"])


def test_runs_side_by_side_recognise_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records, folder = pictures(tmp_path / "in", 8), tmp_path / "store"
    build(records, folder)
    for record in records:
        copy_anew(record)
    seen: list[Path | None] = []

    def counted(path: Path | None) -> stamps.Look:
        seen.append(path)
        return stamps.look(path)

    monkeypatch.setattr("polyglance.data.feature_building.look", counted)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(build, records, folder) for _ in range(2)]
        reports = [run.result()[1] for run in runs]
    assert [(report.encoded, report.reused) for report in reports] == [(0, 8), (0, 8)]
    assert len(seen) == 8


def test_a_kill_while_stamps_are_written_leaves_the_old_ones(tmp_path: Path) -> None:
    records, folder = pictures(tmp_path / "in", 3), tmp_path / "store"
    build(records, folder)
    before = (folder / "keys.jsonl").read_bytes()
    program = """
import os, sys
from pathlib import Path
from polyglance.data import feature_store

def killed(entries):
    os.kill(os.getpid(), 9)

feature_store._lines = killed
feature_store.restamp(Path(sys.argv[1]), {sys.argv[2]: "other"})
"""
    words = [sys.executable, "-c", program, str(folder), str(records[0].image)]
    assert subprocess.run(words, check=False).returncode == -9
    assert (folder / "keys.jsonl").read_bytes() == before
    copy_anew(records[0])
    assert build(records, folder)[1].reused == 3  # the lock died with its holder


def test_what_a_file_looks_like(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"content")
    other = tmp_path / "b"
    other.write_bytes(b"content")
    assert stamps.digest(path) == stamps.digest(other)
    assert stamps.digest(path) == "ed7002b439e9ac845f22357d822bac14"  # SHA-256 of "content"
    assert stamps.look(path) == (stamps.stamp(path), stamps.digest(path))
    assert stamps.stamp(path).startswith("7-")
    for absent in (None, tmp_path / "none"):
        assert stamps.look(absent) == ("absent", None)
    assert stamps.same_size("7-1", "7-2")
    assert not stamps.same_size("7-1", "77-1")
    assert not stamps.same_size("7-1", "absent")
