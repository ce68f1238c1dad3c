"""An inspection as text: tables on a terminal, aligned columns elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from polyglance.cli.tables import print_table

if TYPE_CHECKING:
    from polyglance.data.inspect import Inspection, LanguageCounts, Place, Spread

_SHOWN = 10  # the JSON has them all
_COUNTS = ("split", "language", "pictures", "captions", "repeated", "characters", "words")
_OVERLAPS = ("language", "on several pictures", "in several splits", "most often")


def print_inspection(inspection: Inspection) -> None:
    """Print counts by split and language, then what is wrong."""
    by_people = {split: counts.captions for split, counts in inspection.splits.items()}
    by_machines = {split: counts.machine_translated for split, counts in inspection.splits.items()}
    print_table("Captions (lengths: least–median–most)", _COUNTS, _count_rows(by_people))
    print_table("Captions translated by machines", _COUNTS, _count_rows(by_machines))
    print_table("The same captions", _OVERLAPS, list(_overlap_rows(inspection)))
    for split, counts in inspection.splits.items():
        if counts.parallel:
            numbers = ", ".join(f"{number} {tag}" for tag, number in counts.parallel.items())
            print(f"{split}: parallel sentences: {numbers}")
        if counts.without_captions:
            print(f"{split}: {counts.without_captions} of {counts.pictures} without captions")
    _print_list("missing", [f"{_place(place)}: {path}" for place, path in inspection.missing])
    _print_list(
        "cannot be opened",
        [f"{_place(place)}: {reason}" for place, reason in inspection.unreadable],
    )
    _print_list("copies within a split", [_group(places) for places in inspection.duplicates])
    _print_list("leaks: in more than one split", [_group(places) for places in inspection.leaks])


def _count_rows(splits: Mapping[str, Mapping[str, LanguageCounts]]) -> list[tuple[str, ...]]:
    return [
        (split, tag, *_numbers(language))
        for split, languages in splits.items()
        for tag, language in languages.items()
    ]


def _numbers(language: LanguageCounts) -> tuple[str, ...]:
    return (
        str(language.pictures),
        str(language.captions),
        str(language.repeated),
        _spread(language.characters),
        "" if language.words is None else _spread(language.words),
    )


def _overlap_rows(inspection: Inspection) -> Iterator[tuple[str, ...]]:
    for tag, overlap in inspection.overlaps.items():
        example = f"{overlap.examples[0][1]} × {overlap.examples[0][0]}" if overlap.examples else ""
        yield tag, str(overlap.several_pictures), str(overlap.several_splits), example


def _spread(spread: Spread) -> str:
    return f"{spread.minimum}–{spread.median:g}–{spread.maximum}"


def _place(place: Place) -> str:
    return f"{place.split} {place.id}"


def _group(places: Sequence[Place]) -> str:
    return " = ".join(_place(place) for place in places)


def _print_list(title: str, lines: Sequence[str]) -> None:
    print(f"{title}: {len(lines) or 'none'}")
    for line in islice(lines, _SHOWN):
        print(f"  {line}")
    if len(lines) > _SHOWN:
        print(f"  … and {len(lines) - _SHOWN} more")
