"""A collection follows its folder: additions, edits, moves, deletions, and whatever goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from polyglance.errors import CollectionError
from polyglance.search import engine, indexer
from polyglance.search.collection import Collection
from polyglance.search.engine import Threads
from polyglance.search.indexer import Summary, index
from polyglance.search.writer import Writer
from support.colours import PALETTE, ColourEncoder, many_pictures, picture

Rows = dict[str, dict[str, Any]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    picture(folder / "a.png", "red")
    picture(folder / "b.jpg", "green", "blue")
    picture(folder / "trip" / "c.webp", "yellow")
    return folder


def run(photos: Path, **options: Any) -> Summary:
    encoder = options.pop("encoder", None) or ColourEncoder()
    return index(photos, photos.parent / "collection", encoder=encoder, **options)


def rows(photos: Path) -> Rows:
    table = Collection.open(photos.parent / "collection").pictures.to_arrow()
    listed = table.to_pylist()
    by_path = {row["path"]: row for row in listed}
    assert len(by_path) == len(listed), "a path is there twice"
    return by_path


def counts(summary: Summary) -> tuple[int, int, int, int, int]:
    return (
        summary.indexed,
        summary.unchanged,
        summary.moved,
        summary.removed,
        len(summary.skipped),
    )


def test_first_run_stores_what_it_promises(photos: Path) -> None:
    assert counts(run(photos)) == (3, 0, 0, 0, 0)
    row = rows(photos)["b.jpg"]
    assert (row["width"], row["height"]) == (48, 32)
    assert row["size"] == (photos / "b.jpg").stat().st_size
    assert row["mtime_ns"] == (photos / "b.jpg").stat().st_mtime_ns
    assert row["captions"] is None
    assert np.linalg.norm(row["embedding"]) == pytest.approx(1, abs=1e-6)
    assert set(rows(photos)) == {"a.png", "b.jpg", "trip/c.webp"}


def test_second_run_encodes_nothing(photos: Path) -> None:
    run(photos)
    encoder = ColourEncoder()
    assert counts(run(photos, encoder=encoder)) == (0, 3, 0, 0, 0)
    assert encoder.pictures_encoded == 0


def test_addition_edit_and_deletion(photos: Path) -> None:
    run(photos)
    before = rows(photos)
    picture(photos / "new.png", "white")
    picture(photos / "a.png", "black", "white")
    (photos / "trip" / "c.webp").unlink()
    encoder = ColourEncoder()
    assert counts(run(photos, encoder=encoder)) == (2, 1, 0, 1, 0)
    assert encoder.pictures_encoded == 2
    after = rows(photos)
    assert set(after) == {"a.png", "b.jpg", "new.png"}
    assert after["b.jpg"] == before["b.jpg"]
    assert after["a.png"]["embedding"] != before["a.png"]["embedding"]


def test_deleted_picture_that_is_restored(photos: Path) -> None:
    run(photos)
    before = rows(photos)
    kept = photos.parent / "kept.png"
    shutil.move(photos / "a.png", kept)
    assert counts(run(photos)) == (0, 2, 0, 1, 0)
    shutil.move(kept, photos / "a.png")
    assert counts(run(photos)) == (1, 2, 0, 0, 0)
    assert rows(photos) == before


def test_moved_pictures_are_not_encoded_again(photos: Path) -> None:
    run(photos)
    before = rows(photos)
    (photos / "trip").rename(photos / "holiday")
    encoder = ColourEncoder()
    assert counts(run(photos, encoder=encoder)) == (0, 2, 1, 0, 0)
    assert encoder.pictures_encoded == 0
    after = rows(photos)
    assert set(after) == {"a.png", "b.jpg", "holiday/c.webp"}
    assert after["holiday/c.webp"]["embedding"] == before["trip/c.webp"]["embedding"]


def test_two_equal_files_moved_together(photos: Path) -> None:
    shutil.copy2(photos / "a.png", photos / "trip" / "a.png")
    run(photos)
    (photos / "other").mkdir()
    (photos / "a.png").rename(photos / "other" / "1.png")
    (photos / "trip" / "a.png").rename(photos / "other" / "2.png")
    assert counts(run(photos)) == (0, 2, 2, 0, 0)


def test_copied_picture_is_not_encoded_again(photos: Path) -> None:
    run(photos)
    shutil.copyfile(photos / "a.png", photos / "z.png")
    encoder = ColourEncoder()
    assert counts(run(photos, encoder=encoder)) == (1, 3, 0, 0, 0)
    assert encoder.pictures_encoded == 0
    assert rows(photos)["z.png"]["embedding"] == rows(photos)["a.png"]["embedding"]


def test_touched_picture_counts_as_unchanged(photos: Path) -> None:
    run(photos)
    os.utime(photos / "a.png", ns=(1, 1))
    encoder = ColourEncoder()
    assert counts(run(photos, encoder=encoder)) == (0, 3, 0, 0, 0)
    assert encoder.pictures_encoded == 0
    assert rows(photos)["a.png"]["mtime_ns"] == 1


@pytest.mark.parametrize("rows_per_commit", [1, 512])
def test_swapped_pictures_swap_their_embeddings(
    photos: Path, rows_per_commit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "ROWS_PER_COMMIT", rows_per_commit)
    picture(photos / "d.png", "purple")
    run(photos, batch_size=1)
    before = rows(photos)
    (photos / "a.png").rename(photos / "x")
    (photos / "d.png").rename(photos / "a.png")
    (photos / "x").rename(photos / "d.png")
    os.utime(photos / "a.png", ns=(1, 1))
    os.utime(photos / "d.png", ns=(2, 2))
    summary = run(photos, batch_size=1)
    after = rows(photos)
    assert counts(summary) == (2, 2, 0, 0, 0)
    assert after["a.png"]["embedding"] == before["d.png"]["embedding"]
    assert after["d.png"]["embedding"] == before["a.png"]["embedding"]


def test_broken_files_are_listed_and_not_tried_again(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (photos / "b.jpg").read_bytes()
    (photos / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "empty.png").write_bytes(b"")
    (photos / "text.jpg").write_text("I am no picture")
    (photos / "notes.txt").write_text("nor do I claim to be one")
    (photos / "._a.png").write_bytes(b"AppleDouble")
    summary = run(photos)
    assert counts(summary) == (3, 0, 0, 0, 3)
    assert [path for path, _ in summary.skipped] == ["cut.jpg", "empty.png", "text.jpg"]
    assert all(reason for _, reason in summary.skipped)

    read: list[str] = []
    embed_files = engine.embed_files

    def watched(files: Any, **rest: Any) -> Any:
        read.extend(file.path for file in files)
        return embed_files(files, **rest)

    monkeypatch.setattr(engine, "embed_files", watched)
    assert counts(run(photos)) == (0, 3, 0, 0, 3)
    assert read == []
    assert counts(run(photos, retry=True)) == (0, 3, 0, 0, 3)
    assert sorted(read) == ["cut.jpg", "empty.png", "text.jpg"]

    (photos / "cut.jpg").write_bytes(whole + b"\0")
    (photos / "empty.png").unlink()
    summary = run(photos)
    assert counts(summary) == (1, 3, 0, 0, 1)
    assert [path for path, _ in summary.skipped] == ["text.jpg"]


def test_zoo_of_formats_is_indexed_or_listed(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    red, blue = (Image.new("RGB", (40, 30), PALETTE[colour]) for colour in ("red", "blue"))
    red.convert("CMYK").save(photos / "cmyk.jpg")
    red.save(photos / "animated.gif", save_all=True, append_images=[blue])
    red.convert("P").save(photos / "palette.png")
    red.convert("RGBA").save(photos / "alpha.webp")
    Image.fromarray(np.full((30, 40), 65535, dtype=np.uint16)).save(photos / "sixteen.png")
    red.save(photos / "wrong-suffix.png", "JPEG")
    Image.new("1", (30_000, 30_000)).save(photos / "bomb.png")
    (photos / "zero.jpg").write_bytes(b"")
    (photos / "pretender.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)
    summary = run(photos)
    assert counts(summary) == (6, 0, 0, 0, 3)
    assert [path for path, _ in summary.skipped] == ["bomb.png", "pretender.png", "zero.jpg"]
    stored = rows(photos)
    names = list(PALETTE)
    for name, colour in (
        ("cmyk.jpg", "red"),
        ("animated.gif", "red"),
        ("palette.png", "red"),
        ("alpha.webp", "red"),
        ("sixteen.png", "white"),
        ("wrong-suffix.png", "red"),
    ):
        assert names[int(np.argmax(stored[name]["embedding"]))] == colour, name


class TopLeft(ColourEncoder):
    """Sees nothing but the upper left corner."""

    def encode_pixels(self, pixels: Any) -> Any:
        return super().encode_pixels(pixels[:, :, :4, :4])


def test_the_eight_orientations_of_a_scene_are_one(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    scene = Image.new("RGB", (48, 32), PALETTE["black"])
    scene.paste(PALETTE["red"], (0, 0, 24, 16))  # each quarter has a colour of its own
    scene.paste(PALETTE["green"], (24, 0, 48, 16))
    scene.paste(PALETTE["blue"], (0, 16, 24, 32))
    undo = [None, 0, 3, 1, 5, 2, 6, 4]  # Image.Transpose that EXIF's orientation takes back
    for orientation, transpose in enumerate(undo, start=1):
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned = scene if transpose is None else scene.transpose(Image.Transpose(transpose))
        turned.save(photos / f"{orientation}.png", exif=exif)
    run(photos, encoder=TopLeft())
    stored = list(rows(photos).values())
    assert len(stored) == 8
    assert list(PALETTE)[int(np.argmax(stored[0]["embedding"]))] == "red"
    assert {(row["width"], row["height"]) for row in stored} == {(48, 32)}
    assert all(row["embedding"] == stored[0]["embedding"] for row in stored)


def test_picture_that_breaks_leaves_the_collection(photos: Path) -> None:
    run(photos)
    (photos / "a.png").write_bytes(b"broken now")
    assert counts(run(photos)) == (0, 2, 0, 0, 1)
    assert set(rows(photos)) == {"b.jpg", "trip/c.webp"}
    picture(photos / "a.png", "red")
    assert counts(run(photos)) == (1, 2, 0, 0, 0)


def test_missing_permission_is_not_held_against_a_file(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_file = Path.open

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "a.png":
            raise PermissionError(13, "Permission denied")
        return open_file(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        summary = run(photos)
    assert summary.skipped == [("a.png", "cannot be read: Permission denied")]
    assert counts(run(photos)) == (1, 2, 0, 0, 0)


def test_folder_out_of_reach_keeps_its_pictures(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(photos)
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "trip":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        (photos / "a.png").unlink()
        summary = run(photos)
    assert counts(summary) == (0, 1, 0, 1, 1)
    assert summary.skipped == [("trip/", "folder cannot be read: Permission denied")]
    assert set(rows(photos)) == {"b.jpg", "trip/c.webp"}


@pytest.mark.parametrize("name", ["disk", "scans.tif"])
def test_what_lies_below_a_link_is_kept_while_the_link_leads_nowhere(
    photos: Path, tmp_path: Path, name: str
) -> None:
    disk = tmp_path / "disk"
    picture(disk / "far" / "d.png", "white")
    (photos / name).symlink_to(disk)
    assert counts(run(photos)) == (4, 0, 0, 0, 0)
    disk.rename(tmp_path / "unplugged")
    assert counts(run(photos)) == (0, 3, 0, 0, 1)
    assert f"{name}/far/d.png" in rows(photos)
    (tmp_path / "unplugged").rename(disk)
    assert counts(run(photos)) == (0, 4, 0, 0, 0)
    (photos / name).unlink()
    assert counts(run(photos)) == (0, 3, 0, 1, 0)


def test_empty_folder_does_not_empty_the_collection(photos: Path) -> None:
    run(photos)
    shutil.rmtree(photos)
    photos.mkdir()
    with pytest.raises(CollectionError, match="Is a disk missing"):
        run(photos)
    assert len(rows(photos)) == 3


def test_names_that_are_not_utf8(photos: Path) -> None:
    odd = os.fsdecode(b"caf\xe9.png")
    picture(photos / "plain.png", "white")
    (photos / "plain.png").rename(photos / odd)
    assert counts(run(photos)) == (4, 0, 0, 0, 0)
    assert counts(run(photos)) == (0, 4, 0, 0, 0)
    row = rows(photos)["caf\\xe9.png"]
    assert os.fsdecode(row["path_bytes"]) == odd
    (photos / odd).unlink()
    assert counts(run(photos)) == (0, 3, 0, 1, 0)


def test_another_model_is_refused_by_name(photos: Path) -> None:
    run(photos)
    stranger = ColourEncoder()
    stranger.name, stranger.fingerprint = "stranger", "5" * 56
    with pytest.raises(CollectionError, match=r"'colours' \(c0104b5.*'stranger' \(555"):
        run(photos, encoder=stranger)


def test_another_folder_is_refused(photos: Path, tmp_path: Path) -> None:
    run(photos)
    picture(tmp_path / "others" / "a.png", "red")
    with pytest.raises(CollectionError, match="holds the pictures of"):
        index(tmp_path / "others", tmp_path / "collection", encoder=ColourEncoder())


def test_folder_with_other_things_is_no_collection(photos: Path) -> None:
    with pytest.raises(CollectionError, match="is not a collection, and not empty"):
        index(photos, photos, encoder=ColourEncoder())


def test_collection_inside_the_folder_is_not_indexed(photos: Path) -> None:
    inside = photos / "collection"
    index(photos, inside, encoder=ColourEncoder())
    picture(inside / "thumbnail.png", "red")
    assert index(photos, inside, encoder=ColourEncoder()).unchanged == 3


def test_manifest_brings_captions(photos: Path) -> None:
    manifest = photos / "train.jsonl"
    lines = [
        {"image": "a.png", "captions": {"de": ["Rot."], "no": ["Rød."]}},
        {"image": "gone.png", "captions": {"en": ["Gone."]}},
    ]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    summary = run(manifest)
    assert counts(summary) == (1, 0, 0, 0, 1)
    assert summary.skipped == [("gone.png", "No such file or directory")]
    collection = Collection.open(photos / "collection")
    row = collection.pictures.to_arrow().to_pylist()[0]
    assert json.loads(row["captions"]) == {"de": ["Rot."], "no": ["Rød."]}

    manifest.write_text(json.dumps({"image": "a.png", "captions": {"de": ["Röter."]}}) + "\n")
    encoder = ColourEncoder()
    assert counts(run(manifest, encoder=encoder)) == (0, 1, 0, 0, 0)
    assert encoder.pictures_encoded == 0
    collection.refresh()
    row = collection.pictures.to_arrow().to_pylist()[0]
    assert json.loads(row["captions"]) == {"de": ["Röter."]}


def test_second_writer_is_refused(photos: Path) -> None:
    class Nosy(ColourEncoder):
        def encode_pixels(self, pixels: Any) -> Any:
            with pytest.raises(CollectionError, match=f"being written by process {os.getpid()}"):
                run(photos)
            return super().encode_pixels(pixels)

    assert run(photos, encoder=Nosy()).indexed == 3
    assert run(photos).unchanged == 3


def test_reader_sees_batches_as_they_are_committed(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "ROWS_PER_COMMIT", 1)
    seen: list[int] = []
    upsert = Writer.upsert

    def watched(writer: Writer, stored: Any) -> None:
        upsert(writer, stored)
        seen.append(len(Collection.open(photos.parent / "collection")))

    monkeypatch.setattr(Writer, "upsert", watched)
    run(photos, batch_size=1)
    assert seen == [1, 2, 3, 3]


def test_interruption_keeps_what_was_encoded(photos: Path) -> None:
    class Interrupted(ColourEncoder):
        def encode_pixels(self, pixels: Any) -> Any:
            if self.pictures_encoded == 2:
                raise KeyboardInterrupt
            return super().encode_pixels(pixels)

    with pytest.raises(KeyboardInterrupt):
        run(photos, encoder=Interrupted(), batch_size=1, engine=Threads(1))
    assert len(rows(photos)) == 2
    assert counts(run(photos)) == (1, 2, 0, 0, 0)


VICTIM = """
import sys, time
sys.path.insert(0, sys.argv[1])
from support.colours import ColourEncoder
from polyglance.search import indexer

class Slow(ColourEncoder):
    def encode_pixels(self, pixels):
        time.sleep(0.02)
        return super().encode_pixels(pixels)

indexer.ROWS_PER_COMMIT = 16
indexer.index(sys.argv[2], sys.argv[3], encoder=Slow(), batch_size=8)
"""


def test_killed_and_resumed_gives_the_uninterrupted_table(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    many_pictures(photos, 300)
    (photos / "0005x.png").write_bytes(b"broken")
    index(photos, tmp_path / "whole", encoder=ColourEncoder())

    killed = tmp_path / "killed"
    partial = []
    for wanted in (1, 100, 200):  # kill it when so many rows are in
        arguments = [str(Path(__file__).parents[1]), str(photos), str(killed)]
        process = subprocess.Popen([sys.executable, "-c", VICTIM, *arguments])
        try:
            partial.append(_wait_for_rows(killed, wanted, process))
        finally:
            process.kill()
            process.wait()
    assert 0 < partial[0] < partial[-1] < 300

    summary = index(photos, killed, encoder=ColourEncoder())
    assert summary.unchanged >= partial[-1]
    assert summary.indexed == 300 - summary.unchanged
    assert [path for path, _ in summary.skipped] == ["0005x.png"]
    assert _sorted_rows(killed) == _sorted_rows(tmp_path / "whole")


def _wait_for_rows(folder: Path, wanted: int, process: subprocess.Popen[bytes]) -> int:
    for _ in range(1000):
        assert process.poll() is None, "it ended before it could be killed"
        if (folder / "collection.json").exists():
            count = len(Collection.open(folder))
            if count >= wanted:
                return count
        time.sleep(0.01)
    raise AssertionError("no progress")


def _sorted_rows(folder: Path) -> list[dict[str, Any]]:
    return Collection.open(folder).pictures.to_arrow().sort_by("id").to_pylist()
