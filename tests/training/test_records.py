"""Which pictures a recipe's manifests give it."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyglance.data.manifest import write_manifest
from polyglance.data.record import Record
from polyglance.errors import ConfigError
from polyglance.training.recipe import Recipe
from polyglance.training.records import read_records, tell_shared


def manifest(folder: Path, *splits: str | None) -> str:
    records = [
        Record(id=f"{split}-{n}", features=f"{split}-{n}", split=split, captions={"en": ("x",)})
        for n, split in enumerate(splits)
    ]
    path = folder / f"{len(splits)}-{splits[0]}.jsonl"
    write_manifest(records, path)
    return str(path)


def recipe(train: str, validation: str | None = None, **data: object) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "any",
            "data": {"train": train, "validation": validation, **data},
            "training": {"phases": [{"steps": 1}]},
            "model": {"checkpoint": "mini"},
        }
    )


def ids(records: list[Record]) -> list[str]:
    return [record.id for record in records]


def test_of_one_manifest_each_split_is_for_what_it_says(tmp_path: Path) -> None:
    whole = manifest(tmp_path, "train", "val", "test", "restval", None)
    read = read_records(recipe(whole, whole))
    assert ids(read["train"]) == ["train-0", "restval-3", "None-4"]
    assert ids(read["validation"]) == ["val-1", "None-4"]
    assert ids(read_records(recipe(whole, limit=2))["train"]) == ["train-0", "restval-3"]


def test_a_manifest_of_one_split_is_read_whole(tmp_path: Path) -> None:
    read = read_records(recipe(manifest(tmp_path, "val", "val"), manifest(tmp_path, "test")))
    assert ids(read["train"]) == ["val-0", "val-1"]
    assert ids(read["validation"]) == ["test-0"]


def test_splits_of_which_none_is_for_training(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.train: .*splits test, val and of none of train"):
        read_records(recipe(manifest(tmp_path, "val", "test")))


def test_what_is_trained_on_and_measured_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = manifest(tmp_path, "train", "val", None)
    tell_shared(read_records(recipe(whole, whole)))
    assert "1 of 2 validation pictures are trained on as well" in capsys.readouterr().err
    tell_shared(read_records(recipe(manifest(tmp_path, "train"), manifest(tmp_path, "val"))))
    assert capsys.readouterr().err == ""
