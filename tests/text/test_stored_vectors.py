"""Vectors of texts on disk: the encoder's to the bit, and asked for once, whatever happens."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from polyglance.data.feature_store import FeatureStore, FeatureStoreWriter
from polyglance.text import stored_vectors
from polyglance.text.stored_vectors import StoredVectors

BLOCK = 8


class Counting:
    """Rows from a hash of the text; counts how often each text was asked for."""

    dimension = 16

    def __init__(self, fingerprint: str = "f" * 64) -> None:
        self.fingerprint = fingerprint
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        return rows_of(texts)


def rows_of(texts: Sequence[str]) -> NDArray[np.float32]:
    digests = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in texts]
    return np.array([list(digest[:16]) for digest in digests], np.float32) / np.float32(7)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_vectors, "WRITTEN_AT_ONCE", BLOCK)


@pytest.mark.parametrize("at_once", [1, 3, BLOCK, 3 * BLOCK + 1])
def test_vectors_are_the_encoders_now_and_in_the_next_run(tmp_path: Path, at_once: int) -> None:
    texts = [f"text {number}" for number in range(30)] * 2
    for expected in (texts[:30], []):
        encoder = Counting()
        stored = StoredVectors(encoder, tmp_path)
        for start in range(0, len(texts), at_once):
            asked = texts[start : start + at_once]
            assert np.array_equal(stored.embed(asked), rows_of(asked))
        assert encoder.asked == expected
        stored.write()


def test_without_writing_only_whole_blocks_are_on_disk(tmp_path: Path) -> None:
    StoredVectors(Counting(), tmp_path).embed([str(number) for number in range(BLOCK + 3)])
    encoder = Counting()
    StoredVectors(encoder, tmp_path).embed([str(number) for number in range(BLOCK + 3)])
    assert len(encoder.asked) == 3


def test_captions_are_not_in_the_store(tmp_path: Path) -> None:
    stored = StoredVectors(Counting(), tmp_path)
    stored.embed(["the secret garden"])
    stored.write()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any(b"secret" in path.read_bytes() for path in files)


def test_lone_surrogates_and_empty_texts(tmp_path: Path) -> None:
    odd = ["", "\ud800", "a\x00b"]
    stored = StoredVectors(Counting(), tmp_path)
    stored.embed(odd)
    stored.write()
    encoder = Counting()
    assert np.array_equal(StoredVectors(encoder, tmp_path).embed(odd), rows_of(odd))
    assert not encoder.asked


def test_another_encoder_has_another_store(tmp_path: Path) -> None:
    for fingerprint in ("a" * 64, "b" * 64):
        encoder = Counting(fingerprint)
        stored = StoredVectors(encoder, tmp_path)
        stored.embed(["x"])
        stored.write()
        assert encoder.asked == ["x"]


def test_two_runs_side_by_side_store_each_text_once(tmp_path: Path) -> None:
    first, second = StoredVectors(Counting(), tmp_path), StoredVectors(Counting(), tmp_path)
    first.embed(["a", "b"])
    second.embed(["b", "c"])
    first.write()
    second.write()
    store = FeatureStore(first.folder)
    assert len(store) == 3
    assert (first.folder / "rows.bin").stat().st_size == 3 * 16 * 4


def test_where_another_process_writes_vectors_are_computed_again(tmp_path: Path) -> None:
    encoder = Counting()
    stored = StoredVectors(encoder, tmp_path)
    writer = FeatureStoreWriter(
        stored.folder, fingerprint=encoder.fingerprint, shape=(16,), dtype="float32"
    )
    texts = [str(number) for number in range(BLOCK + 1)]
    with writer:
        assert np.array_equal(stored.embed(texts), rows_of(texts))
    assert np.array_equal(stored.embed(texts), rows_of(texts))
    stored.write()
    assert len(FeatureStore(stored.folder)) == BLOCK + 1


def test_where_nothing_can_be_written_vectors_are_right(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    stored = StoredVectors(Counting(), tmp_path / "file")
    texts = [str(number) for number in range(3 * BLOCK)]
    for _ in range(2):
        assert np.array_equal(stored.embed(texts), rows_of(texts))
    stored.write()


def test_a_torn_store_is_a_shorter_one(tmp_path: Path) -> None:
    stored = StoredVectors(Counting(), tmp_path)
    stored.embed(["a", "b"])
    stored.write()
    with (stored.folder / "rows.bin").open("r+b") as file:
        file.truncate(100)
    encoder = Counting()
    again = StoredVectors(encoder, tmp_path)
    assert np.array_equal(again.embed(["a", "b"]), rows_of(["a", "b"]))
    assert encoder.asked == ["b"]


def test_threads(tmp_path: Path) -> None:
    stored = StoredVectors(Counting(), tmp_path)
    texts = [str(number % 50) for number in range(400)]
    parts = [texts[start : start + 5] for start in range(0, 400, 5)]
    with ThreadPoolExecutor(8) as pool:
        for part, rows in zip(parts, pool.map(stored.embed, parts), strict=True):
            assert np.array_equal(rows, rows_of(part))
    stored.write()
    assert len(FeatureStore(stored.folder)) == 50
