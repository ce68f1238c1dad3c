"""How a sample set lies in the cache: ``images/``, and manifests of its parts and of the whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from polyglance.data.manifest import write_manifest
from polyglance.data.record import Record
from polyglance.errors import WeightsError

IMAGES = "images"
TRAIN, TEST = "train", "test"
WHOLE = "pictures.jsonl"


def split_of(english: str) -> str:
    """``train`` for four fifths of all English captions, ``test`` for the rest, for ever.

    By a hash of the caption, so that pictures with one English caption share a split.
    """
    digest = hashlib.sha256(english.strip().lower().encode()).digest()
    return TEST if digest[0] * 256 + digest[1] < 65536 // 5 else TRAIN


def write_samples(records: Iterable[Record], folder: Path) -> None:
    """Write ``train.jsonl`` and ``test.jsonl`` by each record's split, and both in one.

    All are in the order of ids.

    Raises:
        WeightsError: the package held no pictures for one of them.
    """
    ordered = sorted(records, key=lambda record: record.id)
    for split in (TRAIN, TEST):
        chosen = [record for record in ordered if record.split == split]
        if not chosen:
            raise WeightsError(f"the package of {folder.name} holds no {split} pictures")
        write_manifest(chosen, folder / f"{split}.jsonl")
    write_manifest(ordered, folder / WHOLE)
