"""The feature store: resumable, honest about its model, and never stopped by a bad picture."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from polyglance.data.dataset import (
    FeatureSource,
    PixelSource,
    TensorSource,
    assemble,
    stream,
)
from polyglance.data.feature_building import build_feature_store
from polyglance.data.feature_store import FeatureStore, FeatureStoreWriter
from polyglance.data.record import Record
from polyglance.data.sampler import CaptionSampler, Pick
from polyglance.data.views import feature_key
from polyglance.errors import ModelError, PictureError
from polyglance.vision.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(size=8)


def pictures(folder: Path, count: int) -> list[Record]:
    records = []
    for n in range(count):
        path = folder / f"{n}.png"
        Image.new("RGB", (16, 12), (n * 9 % 256, n, 255 - n)).save(path)
        records.append(Record(id=f"p{n}", image=path, captions={"en": (f"picture {n}",)}))
    return records


class Counting:
    """A backbone that means over the pixels, and counts."""

    def __init__(self, die_after: int | None = None) -> None:
        self.seen, self.die_after = 0, die_after

    def __call__(self, pixels: Tensor) -> Tensor:
        self.seen += len(pixels)
        if self.die_after is not None and self.seen > self.die_after:
            raise KeyboardInterrupt
        return pixels.float().mean(dim=(2, 3)) / 255  # (batch, 3)


def build(records: list[Record], folder: Path, encode: Counting, model: str = "abc"):
    return build_feature_store(
        records,
        encode=encode,
        preprocessing=PREPROCESSING,
        fingerprint=model,
        folder=folder,
        dtype="float32",
        batch_size=4,
    )


def test_rows_are_the_encoded_pictures_in_the_order_asked_for(tmp_path: Path) -> None:
    records = pictures(tmp_path, 10)
    store, report = build(records, tmp_path / "store", Counting())
    assert (report.encoded, report.reused, report.skipped) == (10, 0, {})
    rows = store.rows([feature_key(records[n]) for n in (7, 2, 7)])
    assert rows.shape == (3, 3)
    assert rows[0] == pytest.approx([63 / 255, 7 / 255, 248 / 255], abs=1e-6)
    assert np.array_equal(rows[0], rows[2])
    assert feature_key(records[9]) in store
    assert "p10" not in store
    with pytest.raises(ModelError, match="'p10'"):
        store.rows(["p10"])


def test_an_interrupted_build_goes_on(tmp_path: Path) -> None:
    records = pictures(tmp_path, 10)
    with pytest.raises(KeyboardInterrupt):
        build(records, tmp_path / "store", Counting(die_after=4))
    assert len(FeatureStore(tmp_path / "store")) == 4
    encode = Counting()
    store, report = build(records, tmp_path / "store", encode)
    assert (encode.seen, report.reused) == (6, 4)
    whole, _ = build(records, tmp_path / "other", Counting())
    keys = [feature_key(record) for record in records]
    assert np.array_equal(store.rows(keys), whole.rows(keys))


def test_runs_side_by_side_fill_a_store_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = pictures(tmp_path, 10)

    class Slow(Counting):
        def __call__(self, pixels: Tensor) -> Tensor:
            time.sleep(0.3)
            return super().__call__(pixels)

    encoders = [Slow(), Slow()]
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(build, records, tmp_path / "store", encode) for encode in encoders]
        reports = [run.result()[1] for run in runs]
    assert sum(encode.seen for encode in encoders) == 10
    assert sorted(report.reused for report in reports) == [0, 10]
    told = capsys.readouterr().err  # before the holder has left its number, it has none
    assert re.search(rf"waiting for (process {os.getpid()}|another process), which fills", told)


def test_torn_ends_are_cut_off(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    records = pictures(tmp_path, 6)
    build(records[:4], folder, Counting())
    with (folder / "rows.bin").open("ab") as rows, (folder / "keys.jsonl").open("ab") as keys:
        rows.write(b"\1" * 17)  # one row and a piece, as if killed before the key was written
        keys.write(b'{"key": "p4", "sta')
    assert len(FeatureStore(folder)) == 4
    store, report = build(records, folder, Counting())
    assert (report.encoded, report.reused) == (2, 4)
    assert store.rows([feature_key(records[4])])[0] == pytest.approx(
        [36 / 255, 4 / 255, 251 / 255], abs=1e-6
    )


def test_kill_nine_leaves_a_store_that_goes_on(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
import numpy as np
from polyglance.data.feature_store import FeatureStoreWriter
with FeatureStoreWriter(Path(sys.argv[1]), fingerprint="abc", shape=(64,)) as writer:
    for n in range(100000):
        writer.append([f"k{n}"], np.full((1, 64), n % 100, np.float32), ["s"])
"""
    folder = tmp_path / "store"
    process = subprocess.Popen([sys.executable, "-c", program, str(folder)])
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        keys = folder / "keys.jsonl"
        if keys.exists() and keys.stat().st_size > 1000:
            break
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with FeatureStoreWriter(folder, fingerprint="abc", shape=(64,)) as writer:
        writer.append(["last"], np.full((1, 64), 7, np.float32), ["s"])
    store = FeatureStore(folder, fingerprint="abc")
    assert len(store) > 20
    for n, key in enumerate(store.keys[:-1]):
        assert key == f"k{n}"
    assert np.array_equal(
        store.rows(store.keys[:-1])[:, 5], np.arange(len(store) - 1, dtype=np.float16) % 100
    )
    assert store.rows(["last"])[0, 0] == 7


def test_another_model_is_refused_with_both_names(tmp_path: Path) -> None:
    build(pictures(tmp_path, 3), tmp_path / "store", Counting(), model="first-model")
    with pytest.raises(ModelError, match=r"first-model.*second-model"):
        FeatureStore(tmp_path / "store", fingerprint="second-model")
    with pytest.raises(ModelError, match=r"first-model.*second-model"):
        build(pictures(tmp_path, 3), tmp_path / "store", Counting(), model="second-model")


def test_a_changed_picture_is_encoded_again(tmp_path: Path) -> None:
    records = pictures(tmp_path, 5)
    build(records, tmp_path / "store", Counting())
    Image.new("RGB", (20, 20), (255, 0, 0)).save(tmp_path / "3.png")
    store, report = build(records, tmp_path / "store", Counting())
    assert (report.encoded, report.reused, len(store)) == (1, 4, 5)
    assert store.rows([feature_key(records[3])])[0] == pytest.approx([1, 0, 0])


def test_bad_pictures_are_skipped_with_reasons(tmp_path: Path) -> None:
    records = pictures(tmp_path, 5)
    (tmp_path / "1.png").write_bytes(b"")
    (tmp_path / "3.png").unlink()
    store, report = build(records, tmp_path / "store", Counting())
    assert sorted(report.skipped) == ["p1", "p3"]
    assert "1.png" in report.skipped["p1"]
    batch = assemble(
        [Pick(n, "en", f"picture {n}") for n in range(5)], FeatureSource(records, store=store)
    )
    assert batch is not None
    assert batch.image_ids.tolist() == batch.text_image_ids.tolist() == [0, 2, 4]
    assert batch.texts == ["picture 0", "picture 2", "picture 4"]


def test_features_come_as_they_are_stored_in_the_order_asked_for(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(6, 4, 2)).astype(np.float16)
    with FeatureStoreWriter(tmp_path, fingerprint="a", shape=(4, 2)) as writer:
        writer.append([f"r{n}" for n in range(6)], rows, ["s"] * 6)
        writer.append(["r2"], rows[:1] + 1, ["s"])  # encoded anew: its last row counts
    records = [Record(id=f"p{n}", features=f"r{n}") for n in (5, 9, 0, 2)]
    source = FeatureSource(records, store=FeatureStore(tmp_path))
    indices, images = source.load([3, 1, 0])
    assert indices == [3, 0]
    assert images.dtype == torch.float16
    assert np.array_equal(images.numpy(), np.stack([rows[0] + 1, rows[5]]))
    images += 1  # a copy: the store is as before
    assert np.array_equal(source.load([0]).images[0].numpy(), rows[5])
    nothing = source.load([1])
    assert (nothing.indices, nothing.images.shape) == ([], (0, 4, 2))
    assert assemble([Pick(1, "en", "no features")], source) is None


def test_tensors_in_memory_are_a_source() -> None:
    features = torch.randn(5, 3)
    indices, images = TensorSource(features).load([4, 1])
    assert indices == [4, 1]
    assert torch.equal(images, features[[4, 1]])


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    records = pictures(tmp_path, 1)
    (tmp_path / "0.png").write_text("no picture")
    with pytest.raises(PictureError, match="p0"):
        build(records, tmp_path / "store", Counting())


def test_two_writers_at_once(tmp_path: Path) -> None:
    with (
        FeatureStoreWriter(tmp_path, fingerprint="a", shape=(2,)),
        pytest.raises(ModelError, match="is being written by process"),
    ):
        FeatureStoreWriter(tmp_path, fingerprint="a", shape=(2,))
    FeatureStoreWriter(tmp_path, fingerprint="a", shape=(2,)).close()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with FeatureStoreWriter(tmp_path, fingerprint="a", shape=(2,)) as writer:
        with pytest.raises(ValueError, match="not finite as float16"):
            writer.append(["k"], np.array([[1e6, 0]], np.float32), ["s"])
        with pytest.raises(ValueError, match="1 keys"):
            writer.append(["k"], np.zeros((1, 3), np.float32), ["s"])
    assert len(FeatureStore(tmp_path)) == 0
    with pytest.raises(ModelError, match=r"shape \(2,\), not \(3,\)"):
        FeatureStoreWriter(tmp_path, fingerprint="a", shape=(3,))
    (tmp_path / "meta.json").write_text(
        '{"format": 99, "fingerprint": "a", "shape": [], "dtype": 0}'
    )
    with pytest.raises(ModelError, match="format 99"):
        FeatureStore(tmp_path)


def test_pixels_and_shared_captions_make_a_batch(tmp_path: Path) -> None:
    records = pictures(tmp_path, 4)
    records[1] = Record(id="p1", image=records[1].image, captions={"en": ("Picture 0.",)})
    sampler = CaptionSampler(records, batch_size=4)
    source = PixelSource(records, preprocessing=PREPROCESSING)
    batch = assemble(sampler.batch(0, 0), source)
    assert batch is not None
    assert batch.images.shape == (4, 3, 8, 8)
    assert batch.images.dtype == torch.uint8
    positives = batch.positives
    ids = batch.image_ids.tolist()
    for row in range(4):
        for column in range(4):
            pair = {ids[row], batch.text_image_ids.tolist()[column]}
            assert positives[row, column] == (len(pair) == 1 or pair == {0, 1})
    (tmp_path / "2.png").write_bytes(b"x")
    without = assemble(sampler.batch(0, 0), source)
    assert without is not None
    assert 2 not in without.image_ids.tolist()
    assert list(source.skipped) == ["p2"]


def test_batches_without_a_readable_picture_are_passed_over(tmp_path: Path) -> None:
    records = pictures(tmp_path, 3)
    (tmp_path / "1.png").write_bytes(b"x")
    sampler = CaptionSampler(records, batch_size=1)
    batches = stream(sampler, PixelSource(records, preprocessing=PREPROCESSING))
    seen = [next(batches)[1].image_ids.item() for _ in range(8)]
    assert sorted(seen) == [0] * 4 + [2] * 4
    batches.close()
    for n in (0, 2):
        (tmp_path / f"{n}.png").write_bytes(b"x")
    with pytest.raises(PictureError, match="not one training picture"):
        next(stream(sampler, PixelSource(records, preprocessing=PREPROCESSING)))
