"""The disk is full: a clear message, nothing half written, and the same command goes on later."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from faults.kill_indexing import COLOURS, POLYGLANCE, command, rows_of
from faults.kill_training import command as train_command
from faults.killing import completed
from polyglance.search.indexer import index
from polyglance.search.verification import verify
from support.colours import ColourEncoder, many_pictures
from support.squares import write_squares

Disk = tuple[Path, Callable[[], None]]


def refused(words: list[str], **options: object) -> str:
    """What a program complains of, which ends as after a user's mistake."""
    ended = subprocess.run(words, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    return str(ended.stderr)


def leave(disk: Path, free: int) -> Path:
    """Fill the disk but for so many bytes; what fills it can be deleted."""
    ballast = disk / "ballast"
    status = os.statvfs(disk)
    size = status.f_bavail * status.f_frsize - free
    ballast.write_bytes(b"\0" * max(0, size))
    return ballast


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    many_pictures(tmp_path / "photos", 120)
    return tmp_path / "photos"


def whole(collection: Path) -> None:
    fingerprint = ColourEncoder.fingerprint
    assert not verify(collection, fingerprint_of=lambda _name: fingerprint).problems


def test_indexing_onto_a_full_disk(photos: Path, small_disk: Disk, tmp_path: Path) -> None:
    disk, enlarge = small_disk
    collection = disk / "collection"
    completed(command(photos, tmp_path / "whole", COLOURS))
    leave(disk, 150_000)
    told = refused(command(photos, collection, COLOURS))
    assert "No space left on device" in told or "os error 28" in told
    assert "the same command goes on from there" in told
    before = rows_of(collection)
    assert 0 < len(before) < 120
    whole(collection)
    assert "cannot be written" in refused(command(photos, collection, COLOURS))
    assert before.keys() <= rows_of(collection).keys()
    enlarge()
    completed(command(photos, collection, COLOURS))
    assert rows_of(collection).keys() == rows_of(tmp_path / "whole").keys()
    whole(collection)


def test_nothing_of_a_collection_is_made_on_a_full_disk(photos: Path, small_disk: Disk) -> None:
    disk, enlarge = small_disk
    leave(disk, 20_000)
    assert "cannot be written" in refused(command(photos, disk / "collection", COLOURS))
    enlarge()
    completed(command(photos, disk / "collection", COLOURS))
    assert len(rows_of(disk / "collection")) == 120


def test_a_limit_on_the_size_of_files(photos: Path, tmp_path: Path) -> None:
    collection = tmp_path / "collection"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))

    told = refused(command(photos, collection, COLOURS), preexec_fn=limit)
    assert "cannot be written" in told
    assert "the same command goes on from there" in told
    assert rows_of(collection) == {}
    whole(collection)
    completed(command(photos, collection, COLOURS))
    assert len(rows_of(collection)) == 120
    whole(collection)


class Wide(ColourEncoder):
    """The same with embeddings that take more than all else that is known of a picture."""

    dimension = 4095

    def encode_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.tile(super().encode_pixels(pixels), self.dimension // 7) / np.float32(585**0.5)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_exporting_onto_a_full_disk(small_disk: Disk, tmp_path: Path, suffix: str) -> None:
    disk, enlarge = small_disk
    many_pictures(tmp_path / "photos", 20)
    index(tmp_path / "photos", tmp_path / "collection", encoder=Wide())
    output = disk / f"out{suffix}"
    words = [*POLYGLANCE, "collection", "export", str(tmp_path / "collection"), "--embeddings"]
    words += ["--output", str(output)]
    leave(disk, 50_000 if suffix == ".jsonl" else 0)
    told = refused(words)
    assert told.startswith(f"polyglance: {output}: cannot be written: ")
    assert told.endswith("No space left on device\n")
    assert [path.name for path in disk.iterdir()] == ["ballast"]
    enlarge()
    assert f"{output}: 20 lines" in completed(words)


@pytest.mark.timeout(600)
def test_training_onto_a_full_disk(small_disk: Disk, tmp_path: Path) -> None:
    disk, enlarge = small_disk
    recipe = write_squares(tmp_path)
    leave(disk, 30_000)
    environment = {**os.environ, "TINY": str(tmp_path), "OMP_NUM_THREADS": "1"}
    environment["POLYGLANCE_CACHE"] = str(tmp_path / "cache")
    words = train_command(recipe, disk / "run")
    told = refused(words, env=environment)
    assert "No space left on device" in told or "os error 28" in told
    assert not (disk / "run" / "model").exists()
    enlarge()
    assert "finished after 195 steps" in completed(words, environment)
