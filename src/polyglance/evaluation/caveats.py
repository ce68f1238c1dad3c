"""What a reader must know before believing the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from polyglance.data.language import primary_language

if TYPE_CHECKING:
    from polyglance.data.record import Record


def caveats(
    records: Sequence[Record],
    *,
    languages: Sequence[str],
    known: Sequence[str],
    lost: Sequence[str] = (),
) -> tuple[str, ...]:
    """Warnings about leaked pictures and about languages, unknown or lost.

    Args:
        records: the pictures that were measured.
        languages: that were measured.
        known: languages that the model was trained on; empty where the model does not say.
        lost: languages that should have been measured and have no picture that can be read.
    """
    found = []
    coco = sum(_of_coco_training(record) for record in records)
    if coco:
        # 800 of XTD10's 1,000 pictures are COCO training pictures.
        found.append(
            f"{coco} of {len(records)} pictures are from COCO train2014 (as most of XTD10 is): "
            "a model trained on COCO has seen them; leave them out before comparing"
        )
    training = sum(record.split == "train" for record in records)
    if training:
        found.append(
            f"{training} of {len(records)} pictures belong to the split 'train': these numbers "
            "show memory, not skill, if the model was trained on them"
        )
    found += unknown_languages(languages, known)
    if lost:
        found.append(f"not measured, since none of their pictures can be read: {', '.join(lost)}")
    return tuple(found)


def unknown_languages(
    languages: Sequence[str], known: Sequence[str], *, who: str = "the model"
) -> list[str]:
    """A warning where some of the languages were not trained on; arguments as above."""
    primary = {primary_language(tag) for tag in known}
    unknown = [tag for tag in languages if known and primary_language(tag) not in primary]
    return [f"{who} was not trained on {', '.join(unknown)}"] if unknown else []


def _of_coco_training(record: Record) -> bool:
    """By what a reader noted, or by COCO's own file names."""
    name = record.image.name if record.image is not None else record.id
    return "train2014" in (record.extra.get("coco_part"), *name.split("_"))
