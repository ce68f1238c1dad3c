"""``collection duplicates``: copies are found, and shots of a burst are not called so."""

from __future__ import annotations

import inspect
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from polyglance.cli import collection, main
from polyglance.search.copies import BITS_APART, COSINE
from support.clips import clip
from support.collections import run, run_for_json, use_colours
from support.variants import COPIES, scene, shot


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_colours(monkeypatch)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        shot(scene(seed)).save(folder / f"{seed}.png")
    return folder


def found(*options: object) -> Any:
    run("index", "photos", "-c", "c", "--model", "colours")
    return json.loads(run_for_json("collection", "duplicates", "c", "--json", *options))


def names(groups: Any) -> list[list[str]]:
    return sorted([Path(copy["path"]).name for copy in group] for group in groups)


def test_files_with_the_same_bytes(photos: Path) -> None:
    (photos / "trip").mkdir()
    shutil.copy(photos / "2.png", photos / "trip" / "copy.png")
    clip(photos / "v.mp4", "red", "blue")
    shutil.copy(photos / "v.mp4", photos / "w.mp4")
    groups = found("--exact")["groups"]
    assert names(groups) == [["2.png", "copy.png"], ["v.mp4", "w.mp4"]]
    assert all(copy["exact"] for group in groups for copy in group)
    assert len({copy["hash"] for group in groups for copy in group}) == 2
    output = run("collection", "duplicates", "c")
    size = (photos / "2.png").stat().st_size
    assert f"2.png  240 × 180, {size:,} bytes\n  = trip/copy.png  240 × 180, {size:,}" in output
    assert "groups: 2; with the same bytes as their first: 2, the same picture: 0;" in output


def test_pictures_saved_again_are_found_and_the_largest_comes_first(photos: Path) -> None:
    original = shot(scene(0))
    COPIES["jpeg 75"](original).save(photos / "0 again.png")
    COPIES["half"](original).save(photos / "0 small.jpg")
    COPIES["twice"](original).save(photos / "0 large.webp")
    shutil.copy(photos / "0 small.jpg", photos / "0 small copy.jpg")
    (group,) = found()["groups"]
    assert Path(group[0]["path"]).name == "0 large.webp"
    assert {Path(copy["path"]).name for copy in group} == {
        "0.png",
        "0 again.png",
        "0 small.jpg",
        "0 small copy.jpg",
        "0 large.webp",
    }
    assert [copy["width"] for copy in group] == [480, 240, 240, 120, 120]
    assert all(not copy["exact"] and copy["cosine"] > 0.9 for copy in group[1:])
    output = run("collection", "duplicates", "c")
    assert "\n  ≈ 0 small.jpg  120 × 90, " in output
    assert "with the same bytes as their first: 0, the same picture: 4;" in output


def test_shots_of_a_burst_are_no_copies(photos: Path) -> None:
    for step in (1, 2):
        shot(scene(1), 0.08 * step).save(photos / f"1 shot {step}.png")
    described = found("--threshold", 0.9)
    assert described["groups"] == []
    assert described["near_but_no_copies"] >= 2
    assert names(found("--threshold", 0.9, "--bits", 64)["groups"]) != []


def test_pictures_taken_at_different_times_are_no_copies(photos: Path) -> None:
    picture = shot(scene(5))
    for name, seconds in (("a.jpg", 1), ("b.jpg", 1), ("c.jpg", 2)):
        exif = Image.Exif()
        exif[0x0132] = f"2024:05:31 18:30:0{seconds}"
        picture.save(photos / name, exif=exif, quality=80 + ord(name[0]) % 10)
    described = found()
    assert [sorted(group) for group in names(described["groups"])] == [["a.jpg", "b.jpg"]]
    assert described["near_but_no_copies"] >= 2


def test_pictures_that_are_gone_are_said(photos: Path) -> None:
    shot(scene(3)).save(photos / "3 again.jpg")
    run("index", "photos", "-c", "c", "--model", "colours")
    (photos / "3.png").unlink()
    output = run("collection", "duplicates", "c")
    assert "not compared 3.png: " in output
    assert "no such file" in output
    assert "groups: 0;" in output


def test_none_in_an_empty_collection(photos: Path) -> None:
    shutil.rmtree(photos)
    photos.mkdir()
    assert found() == {"groups": [], "near_but_no_copies": 0, "unreadable": []}


def test_defaults_are_those_of_the_library() -> None:
    defaults = inspect.signature(collection.duplicates).parameters
    assert defaults["threshold"].default == COSINE
    assert defaults["bits"].default == BITS_APART


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no collection at nowhere"),
        (["c", "--threshold", "2"], "less than or equal to 1"),
        (["c", "--threshold", "nan"], "less than or equal to 1"),
        (["c", "--bits", "65"], "less than or equal to 64"),
    ],
)
def test_mistakes(
    photos: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["polyglance", "collection", "duplicates", *arguments])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == 2
    assert message in capsys.readouterr().err
