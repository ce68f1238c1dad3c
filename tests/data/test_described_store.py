"""Features from files, and the boxes and probabilities beside them, as one row a region."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from polyglance.cli.data import app
from polyglance.data.dataset import FeatureSource
from polyglance.data.described_store import DescribedStore
from polyglance.data.feature_store import FeatureStore, FeatureStoreWriter
from polyglance.data.manifest import read_manifest
from polyglance.data.region_store import store_regions
from polyglance.data.regions import Regions
from polyglance.errors import ModelError
from polyglance.systems.stored_features import open_features, region_describer
from polyglance.vision.described_regions import RegionDescriber
from polyglance.vision.precomputed import PrecomputedBackbone

GENERATOR = np.random.default_rng(0)
CHANNELS, CLASSES = 6, 5


def regions(name: str, count: int, *, boxes: bool = True, labels: bool = True) -> Regions:
    return Regions(
        image_id=name,
        features=GENERATOR.uniform(0.1, 1, (count, CHANNELS)).astype(np.float32),
        width=640,
        height=480,
        boxes=GENERATOR.uniform(0, 480, (count, 4)) if boxes else None,
        probabilities=GENERATOR.dirichlet(np.ones(CLASSES), count) if labels else None,
    )


class Reading(nn.Module):
    """As much of a system as opening stored features asks for."""

    def __init__(
        self, *, classes: int | None, describes: bool, probabilities: bool = False
    ) -> None:
        super().__init__()
        self.backbone = PrecomputedBackbone(channels=CHANNELS, regions=4, classes=classes)
        self.describer = (
            RegionDescriber(backbone=self.backbone, probabilities=probabilities)
            if describes
            else None
        )

    def parts(self) -> dict[str, nn.Module]:
        return {"image.backbone": self.backbone}


def expected(found: Regions, rows: int) -> np.ndarray:
    """(rows, channels + 4 + classes), by hand."""
    row = np.zeros((rows, CHANNELS + 4 + CLASSES))
    for region in range(min(rows, len(found.features))):
        left, top, right, bottom = found.boxes[region]
        box = [left / 640, top / 480, right / 640, bottom / 480]
        row[region] = [*found.features[region], *box, *found.probabilities[region]]
    return row


def test_features_boxes_and_probabilities_lie_side_by_side(tmp_path: Path) -> None:
    pictures = [regions("a", 3), regions("b", 4), regions("c", 6)]
    store_regions(pictures, tmp_path, fingerprint="precomputed:x", regions=4)
    store = DescribedStore(tmp_path, classes=CLASSES)
    assert store.shape == (4, CHANNELS + 4 + CLASSES)
    assert store.features_shape == (4, CHANNELS)
    rows = store.rows(["c", "a", "b"])
    assert rows.dtype == np.float16
    for row, picture in zip(rows, [pictures[2], pictures[0], pictures[1]], strict=True):
        assert row == pytest.approx(expected(picture, 4), abs=5e-4)
    unlabelled = DescribedStore(tmp_path).rows(["c", "a", "b"])
    assert np.array_equal(unlabelled, rows[:, :, : CHANNELS + 4])


def test_stores_beside_one_another_may_differ_in_order(tmp_path: Path) -> None:
    """After a kill between two stores, the one has rows that the other has again, or not yet."""
    pictures = {name: regions(name, 4) for name in "abcd"}
    store_regions([pictures["a"]], tmp_path, fingerprint="precomputed:x", regions=4)
    with FeatureStoreWriter(
        tmp_path / "boxes", fingerprint="precomputed:x", shape=(4, 4), dtype="float32"
    ) as boxes:
        boxes.append(["c", "b"], np.ones((2, 4, 4)), ["", ""])  # died before the features
    store_regions([pictures[n] for n in "bc"], tmp_path, fingerprint="precomputed:x", regions=4)
    with FeatureStoreWriter(
        tmp_path, fingerprint="precomputed:x", shape=(4, CHANNELS), dtype="float16"
    ) as features:
        features.append(["d", "a"], np.ones((2, 4, CHANNELS)), ["", ""])  # d has nothing beside it
    store = DescribedStore(tmp_path, classes=CLASSES)
    rows = store.rows(["c", "b", "d", "a"])
    assert rows[0] == pytest.approx(expected(pictures["c"], 4), abs=5e-4)
    assert rows[1] == pytest.approx(expected(pictures["b"], 4), abs=5e-4)
    assert (rows[2, :, :CHANNELS] == 1).all()
    assert not rows[2, :, CHANNELS:].any()
    assert (rows[3, :, :CHANNELS] == 1).all()  # encoded again: its last row counts
    assert rows[3, :, CHANNELS:] == pytest.approx(
        expected(pictures["a"], 4)[:, CHANNELS:], abs=5e-4
    )


def test_only_a_system_that_describes_regions_reads_what_is_beside(tmp_path: Path) -> None:
    store_regions([regions("a", 4)], tmp_path, fingerprint="precomputed:x", regions=4)
    plain = Reading(classes=None, describes=False)
    assert region_describer(plain) is None
    store = open_features(plain, tmp_path)
    assert type(store) is FeatureStore
    assert store.shape == (4, CHANNELS)
    boxed = open_features(Reading(classes=CLASSES, describes=True), tmp_path)
    assert boxed.shape == (4, CHANNELS + 4)
    whole = open_features(Reading(classes=CLASSES, describes=True, probabilities=True), tmp_path)
    assert whole.shape == (4, CHANNELS + 4 + CLASSES)


def test_boxes_alone_labels_alone_and_neither(tmp_path: Path) -> None:
    for boxes, labels in [(True, False), (False, True), (False, False)]:
        folder = tmp_path / f"{boxes}-{labels}"
        picture = regions("a", 4, boxes=boxes, labels=labels)
        store_regions([picture], folder, fingerprint="precomputed:x", regions=4)
        reader = Reading(classes=CLASSES, describes=True, probabilities=labels)
        store = open_features(reader, folder)
        found = reader.describer(torch.from_numpy(store.rows(["a"])))
        assert found.boxes.any() == boxes
        assert (found.probabilities is not None) == labels
        assert found.features.shape == (1, 4, CHANNELS)
        if not labels:
            with pytest.raises(ModelError, match="no class probabilities, and the model wants 5"):
                DescribedStore(folder, classes=CLASSES)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    store_regions([regions("a", 4)], tmp_path, fingerprint="precomputed:x", regions=4)
    with pytest.raises(ModelError, match=r"probabilities: a row is 4 × 5, .* reads 4 × 7"):
        DescribedStore(tmp_path, classes=7)
    reader = Reading(classes=None, describes=True)
    reader.backbone.channels = 8
    with pytest.raises(ModelError, match=r"a row is 4 × 6, and the model reads .* 8 channels"):
        open_features(reader, tmp_path)
    meta = tmp_path / "boxes/meta.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "fingerprint": "precomputed:y"}))
    with pytest.raises(ModelError, match="precomputed:y"):
        DescribedStore(tmp_path)


def test_one_vector_a_picture_has_nothing_beside_it(tmp_path: Path) -> None:
    picture = Regions(image_id="a", features=np.ones(CHANNELS))
    store_regions([picture], tmp_path, fingerprint="precomputed:x")
    reader = Reading(classes=None, describes=True)
    store = open_features(reader, tmp_path)
    assert store.rows(["a"]).shape == (1, CHANNELS)
    assert reader.describer(torch.from_numpy(store.rows(["a"]))).features.shape == (1, 1, CHANNELS)


def uniter_folder(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Files as UNITER's: features, (x1, y1, x2, y2, w, h) and soft labels, in half precision."""
    folder.mkdir()
    files = {}
    for number in (7, 42):
        corners = np.sort(GENERATOR.uniform(size=(3, 2, 2)), axis=1).reshape(3, 4)
        sides = corners[:, 2:] - corners[:, :2]
        name = f"coco_val2014_{number:012}"
        files[name] = {
            "features": GENERATOR.uniform(0.1, 1, (3, CHANNELS)).astype(np.float16),
            "norm_bb": np.concatenate([corners, sides], axis=1).astype(np.float16),
            "soft_labels": GENERATOR.dirichlet(np.ones(CLASSES), 3).astype(np.float16),
        }
        np.savez(folder / f"{name}.npz", **files[name])
    return files


def test_uniters_files_reach_the_tasks_as_they_are(tmp_path: Path) -> None:
    files = uniter_folder(tmp_path / "npz")
    words = ["prepare", "uniter", tmp_path / "npz", "--output", tmp_path / "u.jsonl"]
    result = CliRunner().invoke(app, [str(word) for word in [*words, "--regions", 4]])
    assert result.exit_code == 0, result.exception
    records = read_manifest(tmp_path / "u.jsonl")
    reader = Reading(classes=CLASSES, describes=True, probabilities=True)
    source = FeatureSource(records, store=open_features(reader, tmp_path / "u.features"))
    loaded = source.load([1, 0])
    assert loaded.indices == [1, 0]
    found = reader.describer(loaded.images)
    for row, picture in enumerate([1, 0]):
        file = files[records[picture].id]
        assert found.mask[row].tolist() == [True, True, True, False]
        for ours, theirs in [
            (found.features, file["features"]),
            (found.boxes, file["norm_bb"][:, :4]),
            (found.probabilities, file["soft_labels"]),
        ]:
            assert isinstance(ours, Tensor)
            assert np.array_equal(ours[row, :3].numpy(), theirs.astype(np.float32))
            assert not ours[row, 3].any()
