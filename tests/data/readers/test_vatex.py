"""VATEX in its own format, written here: JSON of captions, I3D matrices, NRCCR's BigFile."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.data.tiny_features import run

from polyglance.data.feature_store import FeatureStore
from polyglance.data.manifest import read_manifest
from polyglance.data.readers.options import ReaderOptions
from polyglance.data.readers.vatex import read_vatex
from polyglance.data.region_files.frames import read_bigfile, read_npy
from polyglance.data.regions import Regions
from polyglance.errors import ManifestError
from support.clips import clip

FIRST, SECOND = "Ptf_2VRj-V0_000122_000132", "ngHMmarjqG4_000000_000010"


def vatex(path: Path) -> Path:
    entries = [
        {
            "videoID": FIRST,
            "enCap": ["A man rows. ", "Somebody rows a boat."],
            "chCap": ["一个男人在划船。", "有人划船。"],
        },
        {"videoID": SECOND, "enCap": ["A dog runs."], "chCap": ["一只狗在跑。"]},
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries, ensure_ascii=False), "utf-8")
    return path


def bigfile(folder: Path, *, videos: bool = True) -> dict[str, np.ndarray]:
    """Three frames of one video and five of another, not in order; → video → its frames."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    frames = {FIRST: 3, SECOND: 5}
    names = [f"{video}_{n}" for n in range(5) for video in frames if n < frames[video]]
    rows = generator.normal(size=(len(names), 4)).astype("<f4")
    (folder / "feature.bin").write_bytes(rows.tobytes())
    (folder / "id.txt").write_text(" ".join(names))
    (folder / "shape.txt").write_text(f"{len(names)} 4")
    listed = {video: [f"{video}_{n}" for n in range(count)] for video, count in frames.items()}
    if videos:
        (folder / "video2frames.txt").write_text(str(listed))
    return {v: np.stack([rows[names.index(name)] for name in of]) for v, of in listed.items()}


def test_captions_in_both_languages_and_the_split_of_the_file(tmp_path: Path) -> None:
    clip(tmp_path / f"{FIRST}.webm", "red", codec="libvpx-vp9")
    path = vatex(tmp_path / "vatex_training_v1.0.json")
    first, second = read_vatex([path], ReaderOptions())
    assert first.id == FIRST
    assert first.captions["en"] == ("A man rows.", "Somebody rows a boat.")
    assert first.captions["zh"] == ("一个男人在划船。", "有人划船。")
    assert (first.image, first.video) == (None, tmp_path / f"{FIRST}.webm")
    assert second.video == tmp_path / f"{SECOND}.mp4"
    assert first.split == "train"
    for name, split in (("vatex_validation_v1.0.json", "val"), ("vatex_public_test.json", "test")):
        assert next(read_vatex([vatex(tmp_path / name)], ReaderOptions())).split == split
    chosen = ReaderOptions(languages=("zh-Hans",), rename={"ch": "zh-Hans"}, split="dev")
    record = next(read_vatex([path], chosen))
    assert set(record.captions) == {"zh-Hans"}
    assert record.split == "dev"


def test_the_private_test_set_has_no_captions(tmp_path: Path) -> None:
    path = tmp_path / "vatex_private_test_without_annotations.json"
    path.write_text(json.dumps([{"videoID": FIRST}]))
    [record] = read_vatex([path], ReaderOptions())
    assert record.captions == {}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{}", "a JSON list is needed at the top"),
        ("[", "not JSON"),
        ('[{"enCap": ["x"]}]', r"\[0\].videoID: missing"),
        ('[{"videoID": "../x"}]', "'../x.mp4' is not a path below"),
        ('[{"videoID": "a", "enCap": "x"}]', r"\[0\].enCap: a list is needed"),
        ('[{"videoID": "a", "chCap": [" "]}]', r"\[0\].chCap\[0\]: an empty caption"),
        ('[{"videoID": "a"}, {"videoID": "a"}]', "video 'a' comes twice"),
    ],
)
def test_what_is_malformed_is_told_with_its_place(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "vatex.json"
    path.write_text(content)
    with pytest.raises(ManifestError, match=told) as caught:
        list(read_vatex([path], ReaderOptions()))
    assert str(path) in str(caught.value)


def test_a_manifest_of_videos_by_the_verb(tmp_path: Path) -> None:
    clip(tmp_path / "videos" / f"{FIRST}.mp4", "red")
    path = vatex(tmp_path / "vatex_training_v1.0.json")
    output = tmp_path / "vatex.jsonl"
    result = run("prepare", "vatex", path, "--images", tmp_path / "videos", "--output", output)
    assert "vatex.jsonl: 2 pictures; captions: 3 en, 3 zh" in result.output
    assert "1 of 2 pictures are not there" in result.output
    first, _ = read_manifest(output)
    assert first.video == tmp_path / "videos" / f"{FIRST}.mp4"
    assert json.loads(output.read_text().splitlines()[0])["video"] == f"videos/{FIRST}.mp4"


def test_i3d_matrices_join_their_captions_evenly_thinned_out(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    folder = tmp_path / "i3d"
    folder.mkdir()
    long, short = generator.normal(size=(1, 8, 6)), generator.normal(size=(1, 2, 6))
    np.save(folder / f"{FIRST}.npy", long.astype(np.float32))
    np.save(folder / f"{SECOND}.npy", short.astype(np.float32))
    captions, output = tmp_path / "vatex.jsonl", tmp_path / "i3d.jsonl"
    run("prepare", "vatex", vatex(tmp_path / "vatex_training_v1.0.json"), "--output", captions)
    words = ["prepare", "npy", folder, "--captions", captions, "--output", output]
    result = run(*words, "--regions", 4)
    assert "a row is 4 × 6" in result.output
    assert "evenly spaced" in result.output
    store, records = FeatureStore(tmp_path / "i3d.features"), read_manifest(output)
    assert [record.captions["zh"] for record in records] == [
        ("一个男人在划船。", "有人划船。"),
        ("一只狗在跑。",),
    ]
    rows = store.rows([record.features for record in records])
    assert rows[0] == pytest.approx(long[0, [1, 3, 5, 7]], abs=2e-3)
    assert rows[1, :2] == pytest.approx(short[0], abs=2e-3)
    assert not rows[1, 2:].any()


def test_a_bigfile_gives_the_frames_of_each_video_in_order(tmp_path: Path) -> None:
    frames = bigfile(tmp_path / "i3d")
    found = {each.image_id: each for each in read_bigfile(tmp_path / "i3d")}
    assert list(found) == [FIRST, SECOND]
    for video, rows in frames.items():
        assert np.array_equal(found[video].features, rows)
        assert found[video].in_time


def test_a_bigfile_without_videos_has_a_row_a_picture(tmp_path: Path) -> None:
    bigfile(tmp_path / "clip", videos=False)
    found = list(read_bigfile(tmp_path / "clip"))
    assert len(found) == 8
    assert found[0].image_id == f"{FIRST}_0"
    assert found[0].features.shape == (4,)


def _shape(folder: Path) -> None:
    (folder / "shape.txt").write_text("8 five")


def _names(folder: Path) -> None:
    (folder / "id.txt").write_text("a b")


def _bytes(folder: Path) -> None:
    (folder / "feature.bin").write_bytes(b"1234")


def _absent(folder: Path) -> None:
    (folder / "video2frames.txt").write_text("{'a': ['nowhere']}")


def _code(folder: Path) -> None:
    (folder / "video2frames.txt").write_text("__import__('os').getcwd()")


def _gone(folder: Path) -> None:
    (folder / "feature.bin").unlink()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_shape, "shape.txt: two whole numbers"),
        (_names, "shape.txt: 8 rows, and id.txt names 2"),
        (_bytes, "feature.bin: 4 bytes are no float32 matrix of 8 × 4"),
        (_absent, "video2frames.txt: video 'a': frame 'nowhere' has no row"),
        (_code, "video2frames.txt: not a dictionary as Python prints it"),
        (_gone, "feature.bin: cannot be read"),
    ],
)
def test_a_damaged_bigfile_is_told_by_its_file(tmp_path: Path, damage: object, told: str) -> None:
    bigfile(tmp_path / "i3d")
    damage(tmp_path / "i3d")  # type: ignore[operator]
    with pytest.raises(ManifestError, match=told):
        list(read_bigfile(tmp_path / "i3d"))


def test_npy_files_that_are_no_matrices_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 4)))
    with pytest.raises(ManifestError, match=r"a.npy: \(2, 3, 4\); \(frames, channels\)"):
        list(read_npy(tmp_path))
    (tmp_path / "a.npy").write_bytes(b"no")
    with pytest.raises(ManifestError, match="not an npy file"):
        list(read_npy(tmp_path / "a.npy"))
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ManifestError, match="not an npy file"):
        list(read_npy(tmp_path / "a.npy"))


def test_frames_are_thinned_out_evenly_and_regions_from_the_end() -> None:
    rows = np.arange(10)[:, None]
    for count, expected in ((5, [1, 3, 5, 7, 9]), (3, [1, 5, 8]), (20, list(range(10)))):
        in_time = Regions(image_id="a", features=rows, in_time=True).first(rows, count)
        assert in_time[:, 0].tolist() == expected
    assert Regions(image_id="a", features=rows).first(rows, 3)[:, 0].tolist() == [0, 1, 2]
