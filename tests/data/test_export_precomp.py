"""Our features as ``_precomp`` folders, read back as the official loaders read them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter
from tests.data.tiny_features import f30k, run

from polyglance.data.ahead import decode
from polyglance.data.feature_store import FeatureStore, FeatureStoreWriter
from polyglance.data.manifest import read_manifest, write_manifest
from polyglance.data.record import Record
from polyglance.errors import ManifestError
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import save_system
from polyglance.systems.config import SystemConfig
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.resnet import ResNet

GENERATOR = np.random.default_rng(2)


def stored(folder: Path, rows: np.ndarray) -> FeatureStore:
    with FeatureStoreWriter(folder, fingerprint="abc", shape=rows.shape[1:]) as writer:
        writer.append([f"p{n}" for n in range(len(rows))], rows, ["s"] * len(rows))
    return FeatureStore(folder)


def manifest(folder: Path, german: dict[int, tuple[str, ...]], *, english: int = 5) -> Path:
    records = [
        Record(
            id=f"p{n}",
            features=f"p{n}",
            split="val",
            captions={
                "en": tuple(f"picture {n}\tcaption {k}" for k in range(english)),
                **({"de": german[n]} if n in german else {}),
            },
        )
        for n in range(4)
    ]
    write_manifest(records, folder / "val.jsonl")
    return folder / "val.jsonl"


def official_item(folder: Path, split: str, index: int) -> tuple[np.ndarray, str]:
    """What VSE++'s and SCAN's loaders pair: a caption's line and the row they count out for it."""
    captions = (folder / f"{split}_caps.txt").read_bytes().split(b"\n")[:-1]
    images = np.load(folder / f"{split}_ims.npy")
    divisor = 5 if len(images) != len(captions) else 1
    return images[index // divisor], captions[index].decode()


@pytest.mark.parametrize("pooled", [False, True])
def test_official_loaders_find_their_pairs(tmp_path: Path, pooled: bool) -> None:
    grids = GENERATOR.normal(size=(4, 6, 2, 3)).astype(np.float16)  # channels, rows, columns
    stored(tmp_path / "store", grids)
    result = run("export-precomp", manifest(tmp_path, {}), "--store", tmp_path / "store",
                 "--output", tmp_path / "out", *["--pooled"] * pooled)  # fmt: skip
    assert "captions a picture: 5 en" in result.output
    assert "the official codes read 5000 captions" in result.output
    for index in (0, 7, 19):
        picture, caption = divmod(index, 5)
        row, line = official_item(tmp_path / "out", "dev", index)
        cells = grids[picture].astype(np.float32)
        if pooled:
            assert row == pytest.approx(cells.mean((1, 2)), abs=1e-6)
        else:
            assert row.shape == (6, 6)
            assert row[4] == pytest.approx(cells[:, 1, 1])
        assert line == f"picture {picture} caption {caption}"
    assert (tmp_path / "out" / "dev_ids.txt").read_text() == "p0\np1\np2\np3\n"
    assert np.load(tmp_path / "out" / "dev_ims.npy").dtype == np.float32


def test_padding_does_not_count_in_the_mean(tmp_path: Path) -> None:
    regions = np.zeros((4, 3, 2), np.float16)
    regions[:, 0], regions[:, 1] = [2, 4], [4, 0]
    stored(tmp_path / "store", regions)
    run("export-precomp", manifest(tmp_path, {}), "--store", tmp_path / "store", "--pooled",
        "--output", tmp_path / "out")  # fmt: skip
    assert np.load(tmp_path / "out" / "dev_ims.npy")[0] == pytest.approx([3, 2])


def test_uneven_captions_are_evened_and_told(tmp_path: Path) -> None:
    stored(tmp_path / "store", GENERATOR.normal(size=(4, 3)))
    german = {0: ("a", "b"), 1: ("c",), 2: ("d", "e"), 3: ("f",)}
    words = ["export-precomp", manifest(tmp_path, german, english=2), "--store", tmp_path / "store"]
    result = run(*words, "--output", tmp_path / "out", "--language", "de", "--language", "en")
    assert "dev: 2 de captions left out" in result.output
    assert "1 or 5 captions a picture, not on 2 (en)" in result.output
    for name in ("dev_caps.de.txt", "dev_caps.txt"):
        assert (tmp_path / "out" / name).read_text() == "a\nc\nd\nf\n"
    del german[2]
    manifest(tmp_path, german)
    result = run(*words, "--output", tmp_path / "without")
    assert "dev: no de, 1 pictures lack it" in result.output
    assert not (tmp_path / "without" / "dev_caps.de.txt").exists()
    result = run(*words, "--output", tmp_path / "fewer", "--language", "de")
    assert "1 pictures without captions in a language asked for left out, such as p2" in (
        result.output
    )
    assert (tmp_path / "fewer" / "dev_caps.txt").read_text() == "a\nc\nf\n"
    assert (tmp_path / "fewer" / "dev_ids.txt").read_text() == "p0\np1\np3\n"
    rows = FeatureStore(tmp_path / "store").rows(["p0", "p1", "p3"])
    assert np.array_equal(np.load(tmp_path / "fewer" / "dev_ims.npy"), rows)
    with pytest.raises(ManifestError, match="no picture has captions in en and fr"):
        run(*words, "--output", tmp_path / "o", "--language", "en", "--language", "fr")


def test_pictures_without_features_are_left_out_with_their_captions(tmp_path: Path) -> None:
    stored(tmp_path / "store", GENERATOR.normal(size=(3, 2)))
    result = run("export-precomp", manifest(tmp_path, {}), "--store", tmp_path / "store",
                 "--output", tmp_path / "out")  # fmt: skip
    assert "1 pictures without features left out, such as p3" in result.output
    assert len(np.load(tmp_path / "out" / "dev_ims.npy")) == 3
    assert len((tmp_path / "out" / "dev_caps.txt").read_text().splitlines()) == 15


def test_there_and_back_again(tmp_path: Path) -> None:
    f30k(tmp_path / "theirs")
    run("prepare", "precomp", tmp_path / "theirs", "--output", tmp_path / "a.jsonl")
    run("export-precomp", tmp_path / "a.jsonl", "--store", tmp_path / "a.features",
        "--language", "en", "--language", "de", "--output", tmp_path / "ours")  # fmt: skip
    for split in ("train", "dev", "test"):
        for name in (f"{split}_caps.txt", f"{split}_caps.de.txt"):
            assert (tmp_path / "ours" / name).read_text() == (
                tmp_path / "theirs" / name
            ).read_text()
        theirs = np.load(tmp_path / "theirs" / f"{split}_ims.npy")
        assert np.load(tmp_path / "ours" / f"{split}_ims.npy") == pytest.approx(theirs, abs=2e-3)
    run("prepare", "precomp", tmp_path / "ours", "--output", tmp_path / "b.jsonl")
    assert [dict(r.captions) for r in read_manifest(tmp_path / "b.jsonl")] == [
        dict(r.captions) for r in read_manifest(tmp_path / "a.jsonl")
    ]


def test_where_features_come_from_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="--store, --model, --backbone"):
        run("export-precomp", manifest(tmp_path, {}), "--output", tmp_path / "out")


def photos(folder: Path) -> Path:
    records = []
    for n in range(3):
        pixels = GENERATOR.integers(0, 255, (40, 40, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{n}.png")
        records.append(Record(id=f"{n}", image=folder / f"{n}.png", captions={"en": ("a photo",)}))
    write_manifest(records, folder / "photos.jsonl")
    return folder / "photos.jsonl"


def decoded(folder: Path, size: int) -> torch.Tensor:
    pictures = [decode(folder / f"{n}.png", Preprocessing(size=size)) for n in range(3)]
    return torch.from_numpy(np.stack(pictures))  # (3, 3, size, size)


def test_own_photos_through_a_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    tower = ResNet(depths=(1, 1), width=4, classes=None, preprocessing=Preprocessing(size=32))
    monkeypatch.setattr("polyglance.vision.pretrained.load_tower", lambda _name: tower.eval())
    monkeypatch.setenv("POLYGLANCE_CACHE", str(tmp_path / "cache"))
    run("export-precomp", photos(tmp_path), "--backbone", "resnet50", "--split", "test",
        "--output", tmp_path / "out")  # fmt: skip
    with torch.inference_mode():
        grid = tower(decoded(tmp_path, 32)).grid  # (3, 32, 4, 4)
    found = np.load(tmp_path / "out" / "test_ims.npy")
    assert found.shape == (3, 16, 32)
    # computed in bfloat16 where the processor is faster that way
    assert found == pytest.approx(
        grid.flatten(2).mT.numpy(), rel=0.05, abs=0.05 * float(grid.max())
    )


def test_own_photos_through_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGLANCE_CACHE", str(tmp_path / "cache"))
    architecture = {"model_type": "resnet", "embedding_size": 4, "hidden_sizes": [4, 8],
                    "depths": [1, 1], "layer_type": "basic"}  # fmt: skip
    config = TypeAdapter(SystemConfig).validate_python(
        {
            "system": "vsepp",
            "dimension": 8,
            "backbone": {"kind": "transformers", "size": 32, "architecture": architecture},
        }
    )
    system = build_system(config, training_texts={"en": ["a photo"]}).eval()
    save_system(system, tmp_path / "model")
    run("export-precomp", photos(tmp_path), "--model", tmp_path / "model", "--split", "test",
        "--output", tmp_path / "out")  # fmt: skip
    with torch.inference_mode():
        vectors = system.backbone_features(decoded(tmp_path, 32)).numpy()  # (3, 8)
    found = np.load(tmp_path / "out" / "test_ims.npy")
    assert found == pytest.approx(vectors, rel=0.05, abs=0.05 * float(vectors.max()))
    with pytest.raises(AssertionError, match="--split"):
        run("export-precomp", photos(tmp_path), "--model", tmp_path / "model",
            "--output", tmp_path / "out")  # fmt: skip
