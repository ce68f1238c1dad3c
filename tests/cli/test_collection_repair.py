"""``collection repair``: what it mends, what it leaves, and that nothing sound is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyglance.data.locking import only_writer
from polyglance.errors import CollectionError
from polyglance.search.collection import Collection
from polyglance.search.repair import repair
from polyglance.search.writer import Writer
from support.clips import clip
from support.collections import (
    photos_of_three_folders,
    rewrite,
    run,
    run_for_json,
    use_colours,
)
from support.colours import picture

Columns = dict[str, Any]
SOUND = "there was nothing to mend\n7 rows read, 7 files looked for: all is well\n"
GREEN = 1  # by path


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seven photos with captions, indexed as ``c``, where the user stands; one file is broken."""
    use_colours(monkeypatch)
    monkeypatch.chdir(tmp_path)
    folder = photos_of_three_folders(tmp_path / "photos")
    (folder / "broken.png").write_bytes(b"broken")
    names = sorted(str(file.relative_to(folder)) for file in folder.rglob("*.*"))
    lines = [{"image": name, "captions": {"de": [f"Bild {name}"]}} for name in names]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "m.jsonl").write_text(text, "utf-8")
    run("index", folder / "m.jsonl", "-c", "c", "--model", "colours")
    return folder


def rows() -> list[dict[str, Any]]:
    return sorted(Collection.open("c").pictures.to_arrow().to_pylist(), key=lambda row: row["path"])


def repaired(code: int = 0) -> Any:
    told = json.loads(run_for_json("collection", "repair", "c", "--json", code=code))
    assert bool(told["problems"]) == bool(code)
    return {name: value for name, value in told["repaired"].items() if value}


def test_what_is_sound_stays_as_it_is(photos: Path) -> None:
    tables = {file: file.read_bytes() for file in Path("c/lance").rglob("*") if file.is_file()}
    assert run("collection", "repair", "c") == SOUND
    assert repaired() == {}
    assert tables == {f: f.read_bytes() for f in Path("c/lance").rglob("*") if f.is_file()}


def _wrong_key(columns: Columns) -> None:
    columns["id"][GREEN] = columns["file"][GREEN] = "0" * 16


def _wrong_words(columns: Columns) -> None:
    columns["words"][GREEN] = "other words"


def _shows_another(columns: Columns) -> None:
    columns["shown"][GREEN] = columns["shown"][0]


def _no_words(columns: Columns) -> None:
    columns["words"] = [None] * 7


def _twice(columns: Columns) -> None:
    for values in columns.values():
        values.append(values[GREEN])


def _twice_and_first_is_bad(columns: Columns) -> None:
    _twice(columns)
    columns["embedding"][GREEN] = np.zeros(7, dtype=np.float32)


def _key_of_another(columns: Columns) -> None:
    _twice(columns)
    columns["id"][GREEN] = columns["file"][GREEN] = columns["id"][0]


@pytest.mark.parametrize(
    ("change", "mended"),
    [
        (_wrong_key, {"rewritten": 1}),
        (_wrong_words, {"rewritten": 1}),
        (_shows_another, {"rewritten": 1}),
        (_no_words, {"rewritten": 7}),
        (_twice, {"doubles": 1}),
        (_twice_and_first_is_bad, {"doubles": 1}),
        (_key_of_another, {"rewritten": 1, "doubles": 1}),
    ],
)
def test_what_can_be_told_from_the_rest_is_as_it_was(
    photos: Path, change: Callable[[Columns], None], mended: dict[str, int]
) -> None:
    before = rows()
    rewrite(change)
    run("collection", "verify", "c", code=1)
    assert repaired() == mended
    assert rows() == before
    assert repaired() == {}
    assert "0 indexed, 7 unchanged" in run("index", photos / "m.jsonl", "-c", "c")


def _not_finite(columns: Columns) -> None:
    columns["embedding"][GREEN] = np.full(7, np.nan, dtype=np.float32)


def _too_long(columns: Columns) -> None:
    columns["embedding"][GREEN] = 2 * np.asarray(columns["embedding"][GREEN], dtype=np.float32)


@pytest.mark.parametrize("change", [_not_finite, _too_long])
def test_embeddings_that_are_damaged_are_made_again(
    photos: Path, change: Callable[[Columns], None]
) -> None:
    before = rows()
    rewrite(change)
    output = run("collection", "repair", "c")
    assert "forgotten: green.png\nfiles forgotten: 1; run 'polyglance index' again\n" in output
    assert output.endswith("6 rows read, 6 files looked for: all is well\n")
    assert rows() == before[:GREEN] + before[GREEN + 1 :]
    assert "1 indexed, 6 unchanged" in run("index", photos / "m.jsonl", "-c", "c")
    assert rows() == before


def test_a_video_with_a_damaged_frame_is_forgotten_whole(photos: Path) -> None:
    clip(photos / "clip.mp4", "red", "green", "blue")
    run("index", photos, "-c", "d", "--model", "colours")
    table = Collection.open("d").pictures.to_arrow().sort_by("path").to_pylist()
    frames = [i for i, row in enumerate(table) if row["path"] == "clip.mp4"]
    assert len(frames) > 1

    def damage(columns: Columns) -> None:
        columns["embedding"][frames[-1]] = np.zeros(7, dtype=np.float32)

    rewrite(damage, folder=Path("d"))
    assert "forgotten: clip.mp4\n" in run("collection", "repair", "d")
    assert Collection.open("d").files() == 7
    assert "1 indexed, 7 unchanged" in run("index", photos, "-c", "d")


def test_the_index_of_words_is_built_anew(photos: Path) -> None:
    rewrite(lambda _columns: None, indexed=False)
    assert "'polyglance collection repair' mends that" in run("collection", "verify", "c", code=1)
    assert repaired() == {"text_index": True}


@pytest.mark.parametrize("gone", ["", "data", "_versions"])
def test_the_list_of_unreadable_files_is_begun_anew(photos: Path, gone: str) -> None:
    shutil.rmtree(Path("c/lance/skipped.lance") / gone)
    assert "try 'polyglance collection repair'" in run("collection", "verify", "c", code=1)
    assert repaired() == {"skipped": True}
    assert len(rows()) == 7
    assert "7 unchanged, 0 moved, 0 removed, 1 skipped" in run(
        "index", photos / "m.jsonl", "-c", "c"
    )


@pytest.mark.parametrize("gone", ["lance", "lance/pictures.lance", "lance/pictures.lance/data"])
def test_what_nothing_else_knows_is_said_and_not_touched(photos: Path, gone: str) -> None:
    shutil.rmtree(Path("c") / gone)
    left = sorted(Path("c").rglob("*"))
    with pytest.raises(CollectionError, match="delete the collection's folder and index again"):
        run("collection", "repair", "c")
    assert sorted(Path("c").rglob("*")) == left


def test_a_state_that_cannot_be_read_gives_way_to_the_last_that_can(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows()
    files = set(Path("c/lance/pictures.lance/data").iterdir())
    picture(photos / "new.png", "red", "blue")
    manifest = photos / "m.jsonl"
    manifest.write_text(
        manifest.read_text("utf-8") + '{"image": "new.png", "captions": {}}\n', "utf-8"
    )
    with monkeypatch.context() as patch:
        patch.setattr(Writer, "tidy", lambda _writer: None)
        run("index", manifest, "-c", "c")
    assert len(rows()) == 8
    [newest] = set(Path("c/lance/pictures.lance/data").iterdir()) - files
    newest.write_bytes(newest.read_bytes()[:100])
    assert "tables are missing or damaged" in run("collection", "verify", "c", code=1)
    assert repaired() == {"rolled_back": True}
    assert rows() == before
    assert "1 indexed, 7 unchanged" in run("index", manifest, "-c", "c")


def test_what_a_killed_process_left_is_deleted(photos: Path) -> None:
    Path("c/.collection-0a1b2c3d.json").write_text("{")
    Path("c/.calibration-0a1b2c3d.npz").write_bytes(b"PK")
    Path("c/.mine.json").write_text("{}")
    assert repaired() == {"leftovers": 2}
    assert [file.name for file in Path("c").glob(".*")] == [".mine.json"]


def test_files_that_are_gone_or_changed_are_left_to_others(photos: Path) -> None:
    (photos / "red.png").unlink()
    output = run("collection", "repair", "c", code=1)
    assert output.startswith("there was nothing to mend\nfiles gone: 1;")
    assert len(rows()) == 7


def test_a_kill_in_the_middle_loses_nothing(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows()
    rewrite(_wrong_key)
    with monkeypatch.context() as patch:
        patch.setattr("lancedb.table.LanceTable.delete", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            repair(Path("c"))
    assert repaired() == {"rewritten": 1, "doubles": 1}
    assert rows() == before


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_nobody_else_is_writing(photos: Path) -> None:
    with (
        only_writer(Path("c"), CollectionError),
        pytest.raises(CollectionError, match="is being written by process"),
    ):
        run("collection", "repair", "c")


def test_where_nothing_is_wrong_nothing_is_tidied(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tidied(_writer: Writer) -> None:
        raise AssertionError("it was tidied")

    monkeypatch.setattr(Writer, "tidy", tidied)
    assert run("collection", "repair", "c") == SOUND
