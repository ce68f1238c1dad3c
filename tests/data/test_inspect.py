"""What `polyglance data inspect` finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from polyglance.data.inspect import (
    CaptionOverlap,
    Place,
    Spread,
    inspect_manifests,
    inspect_records,
)
from polyglance.data.manifest import write_manifest
from polyglance.data.record import Record


def picture(path: Path, colour: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (colour, 0, 0)).save(path)
    return path


def test_counts_by_split_and_language() -> None:
    train = [
        Record(
            id="1",
            features="1",
            captions={"en": ("A dog.", "a  DOG", "Two big dogs run ."), "zh": ("狗",)},
            machine_translated={"zh-baidu": ("两只 大狗",)},
            parallel={"en": "A dog.", "de": "Ein Hund."},
        ),
        Record(id="2", features="2", captions={"en": ("A cat sleeps.",)}),
        Record(id="3", features="3", machine_translated={"zh-baidu": ("猫",)}),
    ]
    counts = inspect_records({"train": train}).splits["train"]
    assert (counts.pictures, counts.without_captions) == (3, 1)
    english = counts.captions["en"]
    assert (english.pictures, english.captions, english.repeated) == (2, 4, 1)
    assert english.characters == Spread(6, 9.5, 18)  # 6, 6, 13, 18
    assert english.words == Spread(2, 2.5, 5)  # 2, 2, 3, 5
    assert counts.captions["zh"].words is None
    assert counts.machine_translated["zh-baidu"].captions == 2
    assert counts.parallel == {"en": 1, "de": 1}


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    (tmp_path / "folder.jpg").mkdir()
    records = [
        Record(id="good", image=picture(tmp_path / "good.png", 1)),
        Record(id="gone", image=tmp_path / "gone.png"),
        Record(id="film", video=tmp_path / "gone.mp4"),
        Record(id="text", image=text),
        Record(id="folder", image=tmp_path / "folder.jpg"),
    ]
    looked_at: list[int] = []
    found = inspect_records({"all": records}, looked_at.append)
    assert found.missing == [
        (Place("all", "gone"), str(tmp_path / "gone.png")),
        (Place("all", "film"), str(tmp_path / "gone.mp4")),
    ]
    assert [place.id for place, _ in found.unreadable] == ["text", "folder"]
    assert "not a picture in a known format" in found.unreadable[0][1]
    assert sum(looked_at) == 5


def test_copies_are_found_by_content_within_and_between_splits(tmp_path: Path) -> None:
    train = [
        Record(id="a", image=picture(tmp_path / "a.png", 1)),
        Record(id="b", image=picture(tmp_path / "b.png", 1)),
        Record(id="c", image=picture(tmp_path / "c.png", 2)),
        Record(id="d", image=picture(tmp_path / "d.png", 3)),
        Record(id="e", image=tmp_path / "d.png"),
    ]
    test = [
        Record(id="x", image=picture(tmp_path / "x.png", 2)),
        Record(id="y", image=picture(tmp_path / "y.png", 4)),
    ]
    found = inspect_records({"train": train, "test": test})
    assert found.duplicates == [
        [Place("train", "a"), Place("train", "b")],
        [Place("train", "d"), Place("train", "e")],
    ]
    assert found.leaks == [[Place("train", "c"), Place("test", "x")]]


def test_equal_ids_leak_only_where_the_files_cannot_tell(tmp_path: Path) -> None:
    splits = {
        "train": [
            Record(id="1", image=picture(tmp_path / "a/1.png", 1)),
            Record(id="2", image=picture(tmp_path / "a/2.png", 2)),
            Record(id="3", features="3"),
        ],
        "test": [
            Record(id="1", image=picture(tmp_path / "b/1.png", 9)),  # another picture
            Record(id="2", image=tmp_path / "b/2.png"),  # not there
            Record(id="3", features="3"),
        ],
    }
    found = inspect_records(splits)
    assert [[place.id for place in places] for places in found.leaks] == [["2", "2"], ["3", "3"]]


def test_captions_that_pictures_share() -> None:
    splits = {
        "train": [
            Record(id="1", features="1", captions={"en": ("A dog .", "Grass")}),
            Record(id="2", features="2", captions={"en": ("a dog",), "de": ("Grass",)}),
            Record(id="3", features="3", captions={"en": ("Ａ ｄｏｇ！", "A dog!")}),
        ],
        "test": [Record(id="4", features="4", captions={"en": ("grass.",), "de": ("Hund",)})],
    }
    found = inspect_records(splits).overlaps
    assert found["en"] == CaptionOverlap(
        several_pictures=2, several_splits=1, examples=[("A dog .", 3), ("Grass", 2)]
    )
    assert found["de"] == CaptionOverlap(several_pictures=0, several_splits=0, examples=[])


def test_one_manifest_has_the_splits_it_names_and_several_are_splits_themselves(
    tmp_path: Path,
) -> None:
    named = [Record(id="1", features="1", split="val"), Record(id="2", features="2")]
    for name in ("x/all.jsonl", "y/all.jsonl", "train.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_manifest(named, tmp_path / name)
    assert set(inspect_manifests([tmp_path / "x/all.jsonl"]).splits) == {"val", "all"}
    several = [tmp_path / "x/all.jsonl", tmp_path / "y/all.jsonl", tmp_path / "train.jsonl"]
    found = inspect_manifests(several)
    assert set(found.splits) == {str(several[0]), str(several[1]), "train"}
    assert len(found.leaks) == 2
    assert all(len(places) == 3 for places in found.leaks)


def test_everything_found_can_be_json(tmp_path: Path) -> None:
    records = [
        Record(id="1", image=picture(tmp_path / "1.png", 1), captions={"no": ("En hund",)}),
        Record(id="2", image=picture(tmp_path / "2.png", 1), captions={"no": ("en hund",)}),
        Record(id="3", image=tmp_path / "3.png"),
    ]
    content = json.loads(json.dumps(inspect_records({"all": records}).to_json()))
    assert content["splits"]["all"]["captions"]["no"]["words"]["median"] == 2
    assert content["duplicates"] == [[{"split": "all", "id": "1"}, {"split": "all", "id": "2"}]]
    assert content["missing"] == [[{"split": "all", "id": "3"}, str(tmp_path / "3.png")]]
    assert content["overlaps"]["no"]["examples"] == [["En hund", 2]]


@pytest.mark.flickr8k
def test_flickr8k_has_no_leaks(flickr8k: Path) -> None:
    found = inspect_manifests([flickr8k / "val.jsonl"])
    assert found.splits["val"].captions["ar"].captions == 3000
    assert found.splits["val"].parallel["cs"] == 934
    assert (found.missing, found.unreadable, found.duplicates, found.leaks) == ([], [], [], [])
