"""Recall against a loop over all files, with an index that misses some and videos of many rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from polyglance.search import nearest, vector_index
from polyglance.search.collection import Collection
from polyglance.search.recall import measure_recall
from polyglance.search.schema import Stored
from polyglance.search.writer import open_for_writing
from support.rows import a_row

Vectors = NDArray[np.float32]
DIMENSION = 16


@dataclass
class Table:
    """A model that knows the vectors of numbered texts."""

    vectors: Vectors
    name: str = "table"
    fingerprint: str = "0" * 32
    dimension: int = DIMENSION
    languages: tuple[str, ...] = field(default=())

    def require_embeddings(self) -> None:
        """It has them."""

    def encode_texts(self, texts: Any, *, language: Any = None) -> Vectors:
        return self.vectors[[int(text) for text in texts]]


def clustered(count: int, seed: int) -> Vectors:
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(7).standard_normal((40, DIMENSION))
    rows = centres[random.integers(0, 40, count)] + 0.7 * random.standard_normal((count, DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def stored(path: str, vectors: Vectors) -> list[Stored]:
    return [
        a_row(path, vector, moment=None if len(vectors) == 1 else float(frame), frame=frame)
        for frame, vector in enumerate(vectors)
    ]


def test_recall_is_that_of_a_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_index, "EXACT_UP_TO", 500)
    monkeypatch.setattr(vector_index, "ROWS_OF_A_PARTITION", 10)
    monkeypatch.setattr(nearest, "partitions_probed", lambda _table: 12)  # so that some are missed
    files = {f"{i}.jpg": clustered(1, 100 + i) for i in range(900)}
    files |= {f"{i}.mp4": clustered(25, 2000 + i) for i in range(20)}
    encoder: Any = Table(clustered(60, 1))
    with open_for_writing(tmp_path / "c", model=encoder, root=tmp_path) as writer:
        writer.upsert([row for path, vectors in files.items() for row in stored(path, vectors)])
        writer.tidy()
    collection = Collection.open(tmp_path / "c")
    captions = {"de": [str(i) for i in range(40)], "zh": [str(i) for i in range(40, 60)]}
    recall = measure_recall(collection, encoder, captions, exact_up_to=500)

    neighbours = nearest.Neighbours(collection, exact_up_to=500)
    shares = []
    for query in encoder.vectors:
        best = sorted(files, key=lambda path: -float((files[path] @ query).max()))[:10]
        hits = neighbours.nearest(query, top=10)
        shares.append(len({hit.row["path"] for hit in hits} & set(best)) / 10)
    assert 0.3 < np.mean(shares) < 1
    assert recall.total.recall == pytest.approx(np.mean(shares))
    assert recall.languages["de"].recall == pytest.approx(np.mean(shares[:40]))
    assert recall.languages["zh"].recall == pytest.approx(np.mean(shares[40:]))
    assert recall.worst == min(recall.languages, key=lambda tag: recall.languages[tag].recall)
    assert [recall.languages[tag].queries for tag in ("de", "zh")] == [40, 20]
    assert 0 < recall.total.search[0] <= recall.total.search[1]
    assert recall.total.search[0] <= recall.total.whole[0]


def test_files_that_are_equally_near_are_equally_right(tmp_path: Path) -> None:
    vector = clustered(1, 3)
    encoder: Any = Table(vector)
    with open_for_writing(tmp_path / "c", model=encoder, root=tmp_path) as writer:
        writer.upsert([row for i in range(30) for row in stored(f"{i}.jpg", vector)])
    recall = measure_recall(Collection.open(tmp_path / "c"), encoder, {"en": ["0"]})
    assert recall.total.recall == 1.0
