"""Multi30K: sentences beside lists of pictures, in two tasks."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from polyglance.data.readers import READERS, ReaderOptions
from polyglance.data.record import Record
from polyglance.errors import ManifestError

TASK1 = {
    "image_splits/train.txt": "1.jpg\n2.jpg\n",
    "image_splits/test_2016_flickr.txt": "3.jpg\n",
    "image_splits/test_2017_mscoco.txt": "COCO_train2014_000000117071.jpg#367178\n",
    "raw/train.en.gz": "A dog.\nA cat.\n",
    "raw/train.de": "Ein Hund.\r\nEine\u2028Katze.\r\n",
    "raw/train.cs.gz": "Pes.\nKočka.",
    "raw/test_2016_flickr.en.gz": "A cow.\n",
    "raw/test_2017_mscoco.en": "A sheep.\n",
    "raw/readme": "not a text of the set",
}
TASK2 = {
    "image_splits/train_images.txt": "1.jpg\n2.jpg\n",
    "image_splits/test_2016_images.txt": "3.jpg\n",
    "raw/train.1.de.gz": "Hund.\nKatze.\n",
    "raw/train.2.de.gz": "Ein Tier.\nNoch ein Tier.\n",
    "raw/test_2016.1.de.gz": "Kuh.\n",
}


def lay_out(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder


def read(*folders: Path, **options: Any) -> dict[str, Record]:
    records = READERS["multi30k"](folders, ReaderOptions(**options))
    return {record.id: record for record in records}


def test_task_1_is_captions_and_parallel_sentences(tmp_path: Path) -> None:
    records = read(lay_out(tmp_path / "task1", TASK1), images=tmp_path / "photos")
    assert records["2.jpg"] == Record(
        id="2.jpg",
        image=tmp_path / "photos/2.jpg",
        captions={"cs": ("Kočka.",), "de": ("Eine\u2028Katze.",), "en": ("A cat.",)},
        parallel={"cs": "Kočka.", "de": "Eine\u2028Katze.", "en": "A cat."},
        split="train",
    )
    assert records["3.jpg"].split == "test_2016_flickr"
    assert records["3.jpg"].parallel == {}  # one language is parallel to nothing
    assert records["COCO_train2014_000000117071.jpg"].captions == {"en": ("A sheep.",)}
    assert len(records) == 4


def test_task_2_is_independent_descriptions(tmp_path: Path) -> None:
    records = read(lay_out(tmp_path / "task2", TASK2))
    assert records["1.jpg"].captions == {"de": ("Hund.", "Ein Tier.")}
    assert records["1.jpg"].parallel == {}
    assert records["3.jpg"].split == "test_2016"


def test_both_tasks_together_describe_with_task_2_and_translate_with_task_1(tmp_path: Path) -> None:
    records = read(lay_out(tmp_path / "task1", TASK1), lay_out(tmp_path / "task2", TASK2))
    assert records["1.jpg"].captions == {
        "cs": ("Pes.",),
        "de": ("Hund.", "Ein Tier."),
        "en": ("A dog.",),
    }
    assert records["1.jpg"].parallel == {"cs": "Pes.", "de": "Ein Hund.", "en": "A dog."}
    assert records["3.jpg"].captions == {"en": ("A cow.",), "de": ("Kuh.",)}
    assert records["3.jpg"].split == "test_2016_flickr"


def test_languages_can_be_chosen(tmp_path: Path) -> None:
    records = read(lay_out(tmp_path, TASK1), languages=("en", "cs"))
    assert set(records["1.jpg"].captions) == {"en", "cs"}


def test_an_unpacked_file_is_not_read_twice(tmp_path: Path) -> None:
    files = {**TASK2, "raw/train.1.de": "Hund.\nKatze.\n"}
    assert read(lay_out(tmp_path, files))["1.jpg"].captions == {"de": ("Hund.", "Ein Tier.")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"raw/train.en.gz": "A dog.\n"}, r"train\.en\.gz: 1 lines, but .*train\.txt has 2"),
        ({"raw/train.de": "\nEine Katze.\n"}, r"train\.de, line 1: an empty caption"),
        ({"raw/train.fr": "\nUn chat.\n"}, r"train\.fr, line 1: an empty caption"),
        ({"raw/val.en": "A dog.\n"}, r"image_splits/val\.txt: missing; it names the picture"),
        ({"image_splits/train.txt": "1.jpg\n/2.jpg\n"}, r"train\.txt, line 2: '/2\.jpg' is not"),
        ({"image_splits/train.txt": "1.jpg\n1.jpg\n"}, r"train\.txt, line 2: .* comes twice"),
        ({"image_splits/train.txt": "1.jpg\n3.jpg\n"}, r"line 2: picture '3\.jpg' is in test_2016"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, change: dict[str, str], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read(lay_out(tmp_path, {**TASK1, **change}))


def test_folders_that_are_not_of_the_set(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no folder 'raw' inside; name the folder task1"):
        read(tmp_path)
    lay_out(tmp_path, TASK1)
    with pytest.raises(ManifestError, match=r"raw: no files such as train\.en\.gz .*in no"):
        read(tmp_path, languages=("no",))
    (tmp_path / "raw/train.en.gz").write_bytes(gzip.compress(b"A dog.\n")[:-4])
    with pytest.raises(ManifestError, match=r"train\.en\.gz: a damaged gzip file"):
        read(tmp_path)
    (tmp_path / "raw/train.en.gz").write_bytes(gzip.compress(b"A dog.\nA c\xe4t.\n"))
    with pytest.raises(ManifestError, match=r"train\.en\.gz, line 2: not UTF-8 \(byte 0xe4 at"):
        read(tmp_path)
