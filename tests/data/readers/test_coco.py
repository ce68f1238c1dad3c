"""COCO-style caption files: COCO, STAIR Captions, YJ Captions."""

import json
from pathlib import Path
from typing import Any

import pytest

from polyglance.data.readers import READERS, ReaderOptions
from polyglance.data.record import Record
from polyglance.errors import ManifestError

NAME = "COCO_val2014_000000203564.jpg"
COCO = {
    "info": {"year": 2014},
    "images": [
        {"license": 4, "file_name": NAME, "id": 203564, "height": 400, "width": 600},
        {"license": 4, "file_name": "COCO_val2014_000000000042.jpg", "id": 42},
    ],
    "annotations": [
        {"image_id": 203564, "id": 37, "caption": "A bicycle replica.\n"},
        {"image_id": 42, "id": 38, "caption": "Shoes."},
        {"image_id": 203564, "id": 49, "caption": "A black bicycle."},
    ],
}
STAIR = {
    "images": [{"file_name": NAME, "id": 203564}],
    "annotations": [
        {"image_id": 203564, "id": 1, "caption": "自転車がある", "tokenized_caption": "自転車 が"}
    ],
}
YJ = {
    "images": [{"coco_url": f"http://images/{NAME}", "id": 203564}],
    "annotations": [{"image_id": 203564, "id": 2, "caption": "黒い自転車。"}],
}


def read(folder: Path, *contents: Any, **options: Any) -> list[Record]:
    paths = []
    for number, content in enumerate(contents):
        paths.append(folder / f"{number}.json")
        paths[-1].write_text(json.dumps(content), encoding="utf-8")
    return list(READERS["coco"](paths, ReaderOptions(**options)))


def test_languages_of_several_files_add_up(tmp_path: Path) -> None:
    first, second = read(tmp_path, COCO, STAIR, YJ, languages=("en", "ja", "ja"), split="val")
    assert first == Record(
        id=NAME,
        image=tmp_path / NAME,
        captions={
            "en": ("A bicycle replica.", "A black bicycle."),
            "ja": ("自転車がある", "黒い自転車。"),
        },
        split="val",
    )
    assert second.captions == {"en": ("Shoes.",)}


def test_pictures_are_found_in_the_folders_of_coco(tmp_path: Path) -> None:
    (tmp_path / "val2014").mkdir()
    (tmp_path / "val2014" / NAME).touch()
    first, second = read(tmp_path, COCO, languages=("en",))
    assert first.image == tmp_path / "val2014" / NAME
    assert second.image == tmp_path / "COCO_val2014_000000000042.jpg"


def test_the_language_must_be_told(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="do not name their language; say it with --language"):
        read(tmp_path, COCO)
    with pytest.raises(ManifestError, match="once for all files or once for each"):
        read(tmp_path, COCO, STAIR, YJ, languages=("en", "ja"))
    with pytest.raises(ManifestError, match="'japanese' is not a language tag"):
        read(tmp_path, STAIR, languages=("japanese",))


def test_errors_name_the_place(tmp_path: Path) -> None:
    unknown = {**COCO, "annotations": [{"image_id": 7, "caption": "a"}]}
    with pytest.raises(ManifestError, match=r"annotations\[0\]\.image_id: no image has the id 7"):
        read(tmp_path, unknown, languages=("en",))
    empty = {**COCO, "annotations": [{"image_id": 42, "caption": ""}]}
    with pytest.raises(ManifestError, match=r"annotations\[0\]\.caption: an empty caption"):
        read(tmp_path, empty, languages=("en",))
    with pytest.raises(ManifestError, match=r"0\.json, annotations: missing"):
        read(tmp_path, {"images": []}, languages=("en",))
    with pytest.raises(ManifestError, match=r"images\[0\]\.file_name: missing"):
        read(tmp_path, {"images": [{"id": 1}], "annotations": []}, languages=("en",))
    with pytest.raises(ManifestError, match=r"images\[0\]\.id: a whole number is needed"):
        read(tmp_path, {"images": [{"id": "1", "file_name": "1"}]}, languages=("en",))
