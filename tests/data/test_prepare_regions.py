"""Published features to a manifest and a store, through the command line as a user would."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.tiny_features import f30k, run, tsv_line

from polyglance.data import region_store
from polyglance.data.feature_store import FeatureStore
from polyglance.data.manifest import read_manifest, write_manifest
from polyglance.data.record import Record
from polyglance.data.region_store import store_regions
from polyglance.data.regions import Regions
from polyglance.errors import ManifestError, ModelError

GENERATOR = np.random.default_rng(1)


def test_a_precomp_folder_becomes_manifest_and_store(tmp_path: Path) -> None:
    ims = f30k(tmp_path / "f30k_precomp")
    manifest = tmp_path / "f30k.jsonl"
    result = run("prepare", "precomp", tmp_path / "f30k_precomp", "--output", manifest)
    assert "f30k.jsonl: 10 pictures; captions: 10 de, 50 en" in result.output
    assert "10 pictures stored; a row is 4 × 3" in result.output
    records = read_manifest(manifest)
    store = FeatureStore(tmp_path / "f30k.features")
    assert store.fingerprint.startswith("precomputed:")
    rows = store.rows([record.features for record in records])
    assert rows == pytest.approx(np.concatenate([ims["dev"], ims["test"], ims["train"]]), abs=2e-3)
    assert [record.split for record in records] == ["val"] * 2 + ["test"] * 3 + ["train"] * 5
    assert records[1].captions["en"] == tuple(f"dev {n}" for n in range(5, 10))
    again = run("prepare", "precomp", tmp_path / "f30k_precomp", "--output", manifest)
    assert "0 pictures stored, 10 there already" in again.output
    assert len(FeatureStore(tmp_path / "f30k.features")) == 10


def test_splits_can_be_chosen_and_must_agree(tmp_path: Path) -> None:
    folder = tmp_path / "precomp"
    f30k(folder)
    manifest = tmp_path / "val.jsonl"
    run("prepare", "precomp", folder, "--output", manifest, "--split", "val")
    assert len(read_manifest(manifest)) == 2
    with pytest.raises(ManifestError, match="the splits are val, test, train"):
        run("prepare", "precomp", folder, "--output", manifest, "--split", "dev")
    np.save(folder / "test_ims.npy", GENERATOR.normal(size=(3, 4, 2)))
    with pytest.raises(ManifestError, match="different shapes"):
        run("prepare", "precomp", folder, "--output", tmp_path / "all.jsonl")
    (folder / "train_ids.txt").write_text("a\nb\nc\nd\ne\n")
    (folder / "dev_ids.txt").write_text("x\nb\n")
    (folder / "test_ims.npy").unlink()
    with pytest.raises(ManifestError, match="'b' comes twice, in split val and in split train"):
        run("prepare", "precomp", folder, "--output", tmp_path / "all.jsonl")


def test_other_files_do_not_go_into_the_same_store(tmp_path: Path) -> None:
    f30k(tmp_path / "a")
    f30k(tmp_path / "b")
    words = ["prepare", "precomp", tmp_path / "a", "--output", tmp_path / "a.jsonl"]
    run(*words, "--store", tmp_path / "store")
    words[2] = tmp_path / "b"
    with pytest.raises(ModelError, match="precomputed:"):
        run(*words, "--store", tmp_path / "store")


def coco_manifest(folder: Path) -> Path:
    names = ["COCO_val2014_000000000042.jpg", "COCO_val2014_000000000007.jpg", "else.jpg"]
    for name in names:
        Image.new("RGB", (2, 2)).save(folder / name)
    records = [
        Record(id=name, image=folder / name, captions={"en": (f"of {name}",)}, split="val")
        for name in names
    ]
    write_manifest(records, folder / "coco.jsonl")
    return folder / "coco.jsonl"


def test_bottom_up_features_join_their_captions(tmp_path: Path) -> None:
    captions = coco_manifest(tmp_path)
    features = {name: GENERATOR.normal(size=(n, 3)) for name, n in [("7", 5), ("42", 2), ("9", 4)]}
    boxes = {name: GENERATOR.uniform(0, 480, (len(f), 4)) for name, f in features.items()}
    lines = [tsv_line(name, boxes[name], features[name]) for name in features]
    (tmp_path / "trainval.tsv").write_text("".join(lines + lines[:1]))
    words = ["prepare", "bottom-up", tmp_path / "trainval.tsv", "--output", tmp_path / "bu.jsonl"]
    result = run(*words, "--captions", captions, "--regions", 4)
    assert "bu.jsonl: 2 pictures; captions: 2 en" in result.output
    assert "1 pictures have more than 4 regions" in result.output
    records = {record.features: record for record in read_manifest(tmp_path / "bu.jsonl")}
    assert records["7"].id == "COCO_val2014_000000000007.jpg"
    assert records["7"].split == "val"
    rows = FeatureStore(tmp_path / "bu.features").rows(["7", "42"])
    assert rows[0] == pytest.approx(features["7"][:4], abs=2e-3)
    assert rows[1, :2] == pytest.approx(features["42"], abs=2e-3)
    assert not rows[1, 2:].any()
    placed = FeatureStore(tmp_path / "bu.features" / "boxes").rows(["7"])[0]
    assert placed == pytest.approx(boxes["7"][:4] / [640, 480, 640, 480], rel=1e-5)


def test_a_name_that_two_pictures_share_recognises_neither(tmp_path: Path) -> None:
    records = [
        Record(id=f"{part}/001.jpg", image=tmp_path / part / "001.jpg", captions={"en": (part,)})
        for part in ("train", "test")
    ]
    write_manifest(records, tmp_path / "all.jsonl")
    names = ["001", "train/001.jpg"]
    lines = [tsv_line(name, np.ones((1, 4)), np.ones((1, 3))) for name in names]
    (tmp_path / "features.tsv").write_text("".join(lines))
    words = ["prepare", "bottom-up", tmp_path / "features.tsv", "--output", tmp_path / "bu.jsonl"]
    run(*words, "--captions", tmp_path / "all.jsonl")
    [record] = read_manifest(tmp_path / "bu.jsonl")
    assert (record.id, record.features) == ("train/001.jpg", "train/001.jpg")


def test_uniter_features_stand_alone_or_join(tmp_path: Path) -> None:
    captions = coco_manifest(tmp_path)
    folder = tmp_path / "npz"
    folder.mkdir()
    for number in (7, 42, 100):
        features, boxes = np.full((3, 2), number), GENERATOR.uniform(size=(3, 6))
        np.savez(
            folder / f"coco_val2014_{number:012}.npz",
            features=features.astype(np.float16),
            norm_bb=boxes.astype(np.float16),
            soft_labels=GENERATOR.uniform(size=(3, 4)).astype(np.float16),
        )
    run("prepare", "uniter", folder, "--output", tmp_path / "alone.jsonl", "--regions", 3)
    alone = read_manifest(tmp_path / "alone.jsonl")
    assert [record.id for record in alone] == [f"coco_val2014_{n:012}" for n in (7, 42, 100)]
    run("prepare", "uniter", folder, "--output", tmp_path / "u.jsonl", "--captions", captions)
    joined = read_manifest(tmp_path / "u.jsonl")
    assert {r.id[-6:-4]: r.features[-2:] for r in joined} == {"42": "42", "07": "07"}
    store = FeatureStore(tmp_path / "u.features")
    assert store.shape == (36, 2)
    assert FeatureStore(tmp_path / "u.features" / "probabilities").shape == (36, 4)
    (tmp_path / "none.tsv").write_text(tsv_line("5", np.ones((1, 4)), np.ones((1, 2))))
    with pytest.raises(ManifestError, match="not one of its pictures"):
        run("prepare", "bottom-up", tmp_path / "none.tsv", "--output", tmp_path / "n.jsonl",
            "--captions", captions)  # fmt: skip


@pytest.mark.parametrize(
    ("format_", "option"),
    [("precomp", "--captions"), ("uniter", "--split"), ("folder", "--store")],
)
def test_options_that_a_format_does_not_read_are_refused(
    tmp_path: Path, format_: str, option: str
) -> None:
    with pytest.raises(AssertionError, match=option):
        run("prepare", format_, tmp_path, "--output", tmp_path / "m.jsonl", option, "x")


def test_an_interrupted_store_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(region_store, "_AT_ONCE", 2)
    features = GENERATOR.normal(size=(7, 3, 2))
    boxes = GENERATOR.uniform(size=(7, 3, 4))

    def pictures(until: int):
        for n in range(7):
            if n == until:
                raise KeyboardInterrupt
            yield Regions(image_id=str(n), features=features[n], boxes=boxes[n])

    with pytest.raises(KeyboardInterrupt):
        store_regions(pictures(5), tmp_path, fingerprint="precomputed:a")
    report = store_regions(pictures(9), tmp_path, fingerprint="precomputed:a")
    assert (report.present, report.stored) == (4, 3)
    keys = [str(n) for n in range(7)]
    assert FeatureStore(tmp_path).rows(keys) == pytest.approx(features, abs=2e-3)
    assert FeatureStore(tmp_path / "boxes").rows(keys) == pytest.approx(boxes)


def test_features_that_cannot_be_stored_are_told(tmp_path: Path) -> None:
    good = Regions(image_id="good", features=np.ones((2, 3)))
    for bad, told in [
        (Regions(image_id="bad", features=np.full((2, 3), 1e9)), "'bad'.*not finite"),
        (Regions(image_id="bad", features=np.ones((2, 4))), "'bad'.*those before"),
        (Regions(image_id="bad", features=np.ones((2, 3)), boxes=np.ones((2, 4))), "only some"),
    ]:
        with pytest.raises(ManifestError, match=told):
            store_regions([good, bad], tmp_path / "store", fingerprint="precomputed:a")
