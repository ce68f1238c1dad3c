"""Pairs block by block against the whole matrix, and groups against all pairs at once."""

from __future__ import annotations

import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from polyglance.search import alike, copies
from polyglance.search.alike import blocks, pairs_alike
from polyglance.search.collection import FILE_COLUMNS, Collection
from polyglance.search.copies import find_duplicates
from polyglance.search.indexer import index
from polyglance.search.perceptual_hash import distances, perceptual_hash
from support.colours import PALETTE, ColourEncoder, picture

BLOCK = 16


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 30])
def test_pairs_are_those_of_the_whole_matrix(rows: int) -> None:
    vectors = np.random.default_rng(rows).standard_normal((rows, 5)).astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    whole = vectors @ vectors.T
    expected = {
        (i, j): whole[i, j] for i in range(rows) for j in range(i + 1, rows) if whole[i, j] >= 0.3
    }
    found = {}
    yielded = 0
    for one, other, cosines in pairs_alike(vectors, threshold=0.3, block=8):
        yielded += 1
        assert max(len(one), 1) <= 64
        found |= dict(zip(zip(one.tolist(), other.tolist(), strict=True), cosines, strict=True))
    assert yielded == blocks(rows, block=8)
    assert found.keys() == expected.keys()
    assert all(found[pair] == pytest.approx(expected[pair], abs=1e-6) for pair in found)


@pytest.fixture
def blocks_of_16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "pairs_alike", partial(alike.pairs_alike, block=BLOCK))
    monkeypatch.setattr(copies, "blocks", partial(alike.blocks, block=BLOCK))


def collection_of(photos: Path) -> Collection:
    index(photos, photos.parent / "c", encoder=ColourEncoder())
    return Collection.open(photos.parent / "c")


def groups_of_all_pairs(
    collection: Collection, *, cosine: float, bits: int
) -> list[list[tuple[str, int]]]:
    """Best first, each picture that is in no group yet with its copies that are in none."""
    columns = [*FILE_COLUMNS, "width", "height", "taken", "embedding"]
    rows = [row for batch in collection.batches(columns) for row in batch.to_pylist()]
    rows.sort(key=lambda row: (-row["width"] * row["height"], -row["size"], row["path"]))
    vectors = np.array([row["embedding"] for row in rows])
    hashes = np.array(
        [perceptual_hash(Image.open(collection.absolute(row["path"]))) for row in rows]
    )

    def dates(*places: int) -> set[object]:
        return {rows[place]["taken"] for place in places} - {None}

    groups: list[list[tuple[str, int]]] = []
    grouped: set[int] = set()
    for i in (i for i in range(len(rows)) if i not in grouped):
        apart = distances(hashes[i], hashes)
        near = (vectors @ vectors[i] >= cosine) & (apart <= bits)
        others = set(np.flatnonzero(near).tolist()) - grouped - {i}
        members = [i, *(j for j in others if len(dates(i, j)) < 2)]
        grouped.update(members)
        if len(members) > 1:
            groups.append([(rows[j]["path"], int(apart[j])) for j in sorted(members)])
    return groups


@pytest.mark.parametrize(("cosine", "bits"), [(0.8, 12), (0.5, 24), (0.0, 64)])
def test_groups_are_those_of_all_pairs(
    tmp_path: Path, blocks_of_16: None, cosine: float, bits: int
) -> None:
    random = np.random.default_rng(5)
    for i in range(50):
        exif = Image.Exif()
        if second := random.integers(3):
            exif[0x0132] = f"2024:05:31 18:30:0{second}"
        stripes = random.choice(list(PALETTE)[:3], size=4)
        width, height = random.integers(20, 24, size=2)
        path = picture(tmp_path / "photos" / f"{i}.png", *stripes, size=(width, height))
        image = Image.open(path)
        image.putpixel((0, 0), (i, i, i))
        image.save(path, exif=exif)
    collection = collection_of(tmp_path / "photos")
    found = find_duplicates(collection, cosine=cosine, bits=bits).groups
    expected = groups_of_all_pairs(collection, cosine=cosine, bits=bits)
    assert len(expected) > 1
    assert [[(copy.file.path, copy.bits) for copy in group] for group in found] == expected


def test_many_that_are_alike_take_little_memory(tmp_path: Path, blocks_of_16: None) -> None:
    (tmp_path / "photos").mkdir()
    light = Image.linear_gradient("L").resize((16, 16))
    for i in range(300):
        light.save(tmp_path / "photos" / f"{i}.png", icc_profile=str(i).encode())
    collection = collection_of(tmp_path / "photos")
    find_duplicates(collection, near=False)  # loads what is loaded once
    tracemalloc.start()
    try:
        (group,) = find_duplicates(collection, cosine=0.0).groups
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(group) == 300
    assert most < 2 << 20  # the pairs are 45,000
