"""Karpathy splits, as in ``dataset_coco.json`` and ``dataset_flickr8k.json``."""

import json
from pathlib import Path
from typing import Any

import pytest

from polyglance.data.readers import READERS, ReaderOptions
from polyglance.data.record import Record
from polyglance.errors import ManifestError

COCO: dict[str, Any] = {
    "dataset": "coco",
    "images": [
        {
            "filepath": "val2014",
            "sentids": [681330, 686718],
            "filename": "COCO_val2014_000000522418.jpg",
            "imgid": 0,
            "split": "restval",
            "sentences": [
                {"tokens": ["a", "woman"], "raw": "A woman. ", "imgid": 0, "sentid": 681330},
                {"tokens": ["a", "cake"], "raw": "A cake.\n", "imgid": 0, "sentid": 686718},
            ],
            "cocoid": 522418,
        },
    ],
}
FLICKR = {
    "dataset": "flickr8k",
    "images": [
        {"sentids": [0], "imgid": 0, "filename": "1.jpg", "split": "test", "sentences": []},
    ],
}


def read(folder: Path, *contents: Any, **options: Any) -> list[Record]:
    paths = []
    for number, content in enumerate(contents):
        paths.append(folder / f"{number}.json")
        paths[-1].write_text(json.dumps(content), encoding="utf-8")
    return list(READERS["karpathy"](paths, ReaderOptions(**options)))


def test_reads_coco_and_flickr(tmp_path: Path) -> None:
    coco, flickr = read(tmp_path, COCO, FLICKR)
    assert coco == Record(
        id="COCO_val2014_000000522418.jpg",
        image=tmp_path / "val2014/COCO_val2014_000000522418.jpg",
        captions={"en": ("A woman.", "A cake.")},
        split="restval",
    )
    assert flickr == Record(id="1.jpg", image=tmp_path / "1.jpg", split="test")


def test_pictures_may_lie_elsewhere_and_the_language_be_another(tmp_path: Path) -> None:
    (record,) = read(tmp_path, COCO, images=Path("/photos"), languages=("no",))
    assert record.image == Path("/photos/val2014/COCO_val2014_000000522418.jpg")
    assert list(record.captions) == ["no"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["images"], None, "0.json, images: a list is needed"),
        (["images", 0], 3, "0.json, images[0]: an object is needed"),
        (["images", 0, "filename"], 3, "0.json, images[0].filename: a string is needed"),
        (["images", 0, "filename"], "../1.jpg", "0.json, images[0].filename: '../1.jpg' is not a"),
        (["images", 0, "filename"], "/1.jpg", "0.json, images[0].filename: '/1.jpg' is not a"),
        (["images", 0, "split"], None, "0.json, images[0].split: a string is needed"),
        (["images", 0, "sentences"], {}, "0.json, images[0].sentences: a list is needed"),
        (["images", 0, "sentences", 1, "raw"], 1, "images[0].sentences[1].raw: a caption is a str"),
        (["images", 0, "sentences", 0, "raw"], " ", "sentences[0].raw: an empty caption"),
    ],
)
def test_errors_name_the_place(
    tmp_path: Path, path: list[str | int], value: Any, message: str
) -> None:
    content = json.loads(json.dumps(COCO))
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(ManifestError) as caught:
        read(tmp_path, content)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))


def test_missing_keys_and_pictures_that_contradict_themselves(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"0\.json, images: missing"):
        read(tmp_path, {})
    with pytest.raises(ManifestError, match=r"0\.json: a JSON object is needed at the top"):
        read(tmp_path, [])
    other = json.loads(json.dumps(COCO))
    other["images"][0]["split"] = "test"
    with pytest.raises(ManifestError, match=r"comes twice, as .* in split restval and as .* test"):
        read(tmp_path, COCO, other)


def test_broken_json_names_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text('{"images": [\n  {"filename": }]}')
    with pytest.raises(ManifestError, match=r"d\.json, line 2, column 16: not JSON"):
        list(READERS["karpathy"]([path], ReaderOptions()))
    path.write_bytes(b'{"images": "\xff"}')
    with pytest.raises(ManifestError, match=r"d\.json: not JSON"):
        list(READERS["karpathy"]([path], ReaderOptions()))
