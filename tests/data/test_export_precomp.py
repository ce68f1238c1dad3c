"""Our features as ``_precomp`` folders, read back as the official loaders read them."""

from pathlib import Path

import numpy as np
import pytest
from tests.data.tiny_features import f30k, run

from polyglance.data.feature_store import FeatureStore, FeatureStoreWriter
from polyglance.data.manifest import read_manifest, write_manifest
from polyglance.data.record import Record
from polyglance.errors import ManifestError

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
    with pytest.raises(ManifestError, match="1 in de"):
        run(*words, "--output", tmp_path / "out", "--language", "de")


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
