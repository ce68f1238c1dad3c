"""Which of a manifest's pictures are learned from, and which are held back."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from polyglance.data.record import Record

# `restval` is the part of COCO's validation pictures that papers add to `train`.
LEARNED = ("train", "restval")
HELD_BACK = ("val", "validation", "dev")


def of_splits(records: Sequence[Record], wanted: Collection[str]) -> list[Record]:
    """Pictures of the wanted splits, and those that belong to none.

    A manifest in which all belong to the same split is taken whole, whatever that is called: who
    names such a file means it.
    """
    if len({record.split for record in records}) <= 1:
        return list(records)
    return [record for record in records if record.split is None or record.split in wanted]
