"""Files of shards: what goes in comes out, whole or not at all, and of the right model."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from polyglance.data.place import Place
from polyglance.search.cluster.shards import BATCHES, cut, read_shard, with_captions, write_shard
from polyglance.search.embed import Embedded, Familiar, Unreadable
from polyglance.search.scan import Found

ODD = os.fsdecode(b"caf\xe9.png")
PICTURE = Embedded(
    Found(path=ODD, size=3, mtime_ns=2**60 + 1),
    "ab" * 16,
    48,
    32,
    datetime(2024, 5, 31, 18, 30, 0, 250_000),
    Place(50.0875, -14.4213),
    np.array([[0.1, 0.7, 1e-38]], dtype=np.float32),
)
VIDEO = Embedded(
    Found(path="clip.mp4", size=4, mtime_ns=5),
    "cd" * 16,
    64,
    48,
    None,
    None,
    np.arange(6, dtype=np.float32).reshape(2, 3),
    (0.0, 1.04),
)
COPY = Familiar(Found(path="copy.png", size=3, mtime_ns=6), "ab" * 16)
BROKEN = Unreadable(Found(path="cut.jpg", size=1, mtime_ns=7), "truncated", for_good=True)
ALL = [PICTURE, VIDEO, COPY, BROKEN]


def found(count: int, *, videos: frozenset[int] = frozenset()) -> list[Found]:
    return [Found(path=f"{n:03}", size=1, mtime_ns=1, is_video=n in videos) for n in range(count)]


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    write_shard(path, ALL, fingerprint="f")
    out = read_shard(path, fingerprint="f")
    assert out[2:] == [COPY, BROKEN]
    for read, written in zip(out, [PICTURE, VIDEO], strict=False):
        assert isinstance(read, Embedded)
        np.testing.assert_array_equal(read.embeddings, written.embeddings)
        assert read.embeddings.dtype == np.float32
        assert read._replace(embeddings=None) == written._replace(embeddings=None)  # type: ignore[arg-type]
    assert [file.name for file in tmp_path.iterdir()] == ["a.arrow"]


def test_captions_come_back_and_the_file_is_as_it_was_read(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.arrow", [COPY], fingerprint="f")
    captions = {"de": ["Rot."]}
    planned = Found(path="copy.png", size=9, mtime_ns=9, captions=captions)
    out = with_captions(read_shard(tmp_path / "a.arrow", fingerprint="f"), {"copy.png": planned})
    assert out == [
        COPY._replace(file=Found(path="copy.png", size=3, mtime_ns=6, captions=captions))
    ]


def test_another_model_and_damage_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    write_shard(path, ALL, fingerprint="f")
    with pytest.raises(ValueError, match="no shard of this model"):
        read_shard(path, fingerprint="g")
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"ARROW1" + b"\0" * 100):
        path.write_bytes(damaged)
        with pytest.raises((OSError, ValueError)):
            read_shard(path, fingerprint="f")


def test_shards_are_whole_batches_in_order() -> None:
    files = found(3 * BATCHES * 4 + 5)
    shards = cut(files, batch_size=4, run="r")
    assert [file for shard in shards for file in shard.files] == files
    assert [len(shard.files) for shard in shards] == [4 * BATCHES] * 3 + [5]
    assert len({shard.name for shard in shards}) == 4
    assert cut([], batch_size=4, run="r") == []


def test_a_batch_with_a_video_ends_a_shard() -> None:
    shards = cut(found(20, videos=frozenset({5, 13})), batch_size=4, run="r")
    assert [len(shard.files) for shard in shards] == [8, 8, 4]
