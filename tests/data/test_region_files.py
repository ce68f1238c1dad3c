"""Region features in the published formats, written here as their authors' scripts write them."""

from pathlib import Path

import numpy as np
import pytest
from tests.data.tiny_features import numbered, precomp, tsv_line

from polyglance.data.readers import ReaderOptions
from polyglance.data.region_files import REGION_READERS
from polyglance.data.region_files.precomp import read_precomp
from polyglance.errors import ManifestError

GENERATOR = np.random.default_rng(0)


def test_bottom_up_lines(tmp_path: Path) -> None:
    path = tmp_path / "features.tsv"
    boxes = [GENERATOR.uniform(0, 400, (n, 4)).astype(np.float32) for n in (2, 3)]
    features = [GENERATOR.normal(size=(n, 6)).astype(np.float32) for n in (2, 3)]
    labels = GENERATOR.uniform(size=(3, 5)).astype(np.float32)
    lines = [tsv_line("42", boxes[0], features[0]), tsv_line("7", boxes[1], features[1], labels)]
    path.write_text("".join(lines))
    first, second = REGION_READERS["bottom-up"](path)
    assert (first.image_id, first.width, first.height) == ("42", 640, 480)
    assert np.array_equal(first.features, features[0])
    assert np.array_equal(second.features, features[1])
    assert np.array_equal(second.boxes, boxes[1])
    assert first.probabilities is None
    assert np.array_equal(second.probabilities, labels)
    assert first.relative_boxes == pytest.approx(boxes[0] / [640, 480, 640, 480])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("42\t640\t480\n", r"line 1: 3 columns"),
        ("42\t640\t480\ttwo\tAAAA\tAAAA\n", r"line 1, num_boxes: 'two'"),
        ("42\t640\t480\t1\tAAA\tAAAA\n", r"line 1, boxes: not base64"),
        ("42\t640\t480\t1\tAAAA\tAAAA\n", r"line 1, boxes: 3 bytes are no float32 matrix"),
    ],
)
def test_bad_bottom_up_lines_name_line_and_column(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "features.tsv"
    path.write_text(line)
    with pytest.raises(ManifestError, match=told):
        list(REGION_READERS["bottom-up"](path))


def test_uniter_files(tmp_path: Path) -> None:
    features = GENERATOR.normal(size=(3, 6)).astype(np.float16)
    norm_bb = GENERATOR.uniform(size=(3, 6)).astype(np.float16)
    labels = GENERATOR.uniform(size=(3, 5)).astype(np.float16)
    np.savez(
        tmp_path / "flickr30k_000000000042.npz",
        norm_bb=norm_bb,
        features=features,
        conf=labels.max(1),
        soft_labels=labels,
    )
    np.savez_compressed(tmp_path / "flickr30k_000000000007.npz", norm_bb=norm_bb, features=features)
    first, second = REGION_READERS["uniter"](tmp_path)
    assert [first.image_id, second.image_id] == ["flickr30k_000000000007", "flickr30k_000000000042"]
    assert np.array_equal(second.features, features)
    assert np.array_equal(second.relative_boxes, norm_bb[:, :4].astype(np.float32))
    assert np.array_equal(second.probabilities, labels)
    assert first.probabilities is None


def test_bad_uniter_files_are_named(tmp_path: Path) -> None:
    read = REGION_READERS["uniter"]
    with pytest.raises(ManifestError, match=r"no \.npz file"):
        list(read(tmp_path))
    path = tmp_path / "1.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(ManifestError, match=r"1\.npz"):
        list(read(path))
    np.savez(path, features=np.ones((2, 3)))
    with pytest.raises(ManifestError, match=r"1\.npz: has no norm_bb"):
        list(read(path))
    np.savez(path, features=np.array([{"pickled": 1}]), norm_bb=np.ones((1, 4)))
    with pytest.raises(ManifestError, match="plain arrays"):
        list(read(path))
    np.savez(path, features=np.ones((2, 3)), norm_bb=np.ones((1, 4)))
    with pytest.raises(ManifestError, match="differ in their regions"):
        list(read(path))


@pytest.mark.parametrize("shape", [(4, 3), (3,)])
@pytest.mark.parametrize("repeats", [1, 5])
def test_precomp_with_a_row_a_picture_or_a_row_a_caption(
    tmp_path: Path, shape: tuple[int, ...], repeats: int
) -> None:
    ims = GENERATOR.normal(size=(6, *shape)).astype(np.float32)
    german = numbered(6, "Satz")
    precomp(tmp_path, "train", ims.repeat(repeats, axis=0), plain=numbered(30), de=german)
    (split,) = read_precomp(tmp_path, ReaderOptions())
    records, regions = list(split.records()), list(split.regions())
    assert split.repeats == repeats
    assert [record.id for record in records] == [f"train-{n}" for n in range(6)]
    assert records[2].captions == {
        "de": ("Satz 2",),
        "en": tuple(f"caption {n}" for n in range(10, 15)),
    }
    assert records[2].features == regions[2].image_id == "train-2"
    assert np.array_equal(regions[2].features, ims[2])


def test_precomp_ids_splits_and_languages(tmp_path: Path) -> None:
    ims = GENERATOR.normal(size=(2, 3))
    precomp(tmp_path, "dev", ims.repeat(5, axis=0), en=numbered(10), jt=numbered(10, "bun"))
    (tmp_path / "dev_caps.txt").write_bytes((tmp_path / "dev_caps.jt.txt").read_bytes())
    (tmp_path / "dev_ids.txt").write_text("391895\n" * 5 + "522418\n" * 5)
    precomp(tmp_path, "test", ims, plain=numbered(2))
    (tmp_path / "test_ids.txt").write_text("1\n2\n")
    dev, test = read_precomp(tmp_path, ReaderOptions(rename={"jt": "ja-Latn"}))
    assert (dev.name, test.name) == ("val", "test")
    assert list(dev.ids) == ["391895", "522418"]
    # the plain file holds the Japanese once more, and no English
    assert dict(dev.captions) == {"en": numbered(10), "ja-Latn": numbered(10, "bun")}
    with pytest.raises(ManifestError, match="--rename"):
        read_precomp(tmp_path, ReaderOptions(rename={"jt": "japanese in Latin"}))


def test_precomp_languages_can_be_chosen(tmp_path: Path) -> None:
    precomp(
        tmp_path, "train", GENERATOR.normal(size=(2, 3)), plain=numbered(2), fr=numbered(2, "f")
    )
    for languages, kept in [((), ["fr", "en"]), (("de",), ["de"]), (("de", "fr"), ["fr", "de"])]:
        (split,) = read_precomp(tmp_path, ReaderOptions(languages=languages))
        assert list(split.captions) == kept
    (tmp_path / "train_caps.txt").unlink()
    with pytest.raises(ManifestError, match="in the languages wanted"):
        read_precomp(tmp_path, ReaderOptions(languages=("de",)))


def test_equal_neighbours_are_no_repetition(tmp_path: Path) -> None:
    ims = GENERATOR.normal(size=(8, 3))
    ims[1] = ims[0]  # a picture that is in the dataset twice
    precomp(tmp_path, "train", ims, plain=numbered(8))
    (split,) = read_precomp(tmp_path, ReaderOptions())
    assert (split.repeats, len(split.ids)) == (1, 8)


def test_repetition_that_breaks_off_is_told(tmp_path: Path) -> None:
    ims = GENERATOR.normal(size=(400, 3)).repeat(5, axis=0)
    ims[5 * 100 + 2] += 1
    precomp(tmp_path, "train", ims, plain=numbered(2000))
    (split,) = read_precomp(tmp_path, ReaderOptions())
    with pytest.raises(ManifestError, match=r"train_ims\.npy.*rows 500 to 504 differ"):
        list(split.regions())


def test_precomp_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    options = ReaderOptions()
    with pytest.raises(ManifestError, match=r"train_ims\.npy"):
        read_precomp(tmp_path, options)
    precomp(tmp_path, "train", GENERATOR.normal(size=(3, 2)))
    with pytest.raises(ManifestError, match=r"no captions such as train_caps\.txt"):
        read_precomp(tmp_path, options)
    precomp(tmp_path, "train", GENERATOR.normal(size=(3, 2)), plain=numbered(7))
    with pytest.raises(ManifestError, match=r"train_caps\.txt: 7 captions .* 3 pictures"):
        read_precomp(tmp_path, options)
    precomp(tmp_path, "train", GENERATOR.normal(size=(3, 2)), plain=["a", " ", "c"])
    with pytest.raises(ManifestError, match=r"train_caps\.txt, line 2: an empty caption"):
        read_precomp(tmp_path, options)
    precomp(tmp_path, "train", GENERATOR.normal(size=(3, 2)), plain=numbered(3))
    (tmp_path / "train_ids.txt").write_text("1\n2\n")
    with pytest.raises(ManifestError, match=r"train_ids\.txt: 2 ids for 3 pictures"):
        read_precomp(tmp_path, options)
    (tmp_path / "train_ids.txt").write_text("1\n2\n2\n")
    with pytest.raises(ManifestError, match="not unique"):
        read_precomp(tmp_path, options)
    np.save(tmp_path / "train_ims.npy", np.array([{"pickled": 1}], dtype=object))
    with pytest.raises(ManifestError, match="not an array of plain numbers"):
        read_precomp(tmp_path, options)
    np.save(tmp_path / "train_ims.npy", np.ones((2, 2), np.int64))
    with pytest.raises(ManifestError, match="floating point"):
        read_precomp(tmp_path, options)
