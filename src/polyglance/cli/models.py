"""``polyglance models``: which models are here, how large, how good and how fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyglance.cli.collection import AsJson, print_json
from polyglance.cli.tables import print_table

if TYPE_CHECKING:
    from polyglance.listing.entry import Entry, Speed, Unusable

UNKNOWN = "–"


def models(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER]…", help="Look for models in these and below, too."),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Load each, and time what it encodes on this machine."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the models that are here: the built-in one, those of the hub's cache, and of folders.

    Each with its languages, size, the dimension of its embeddings, and the recalls per language
    that its run or its card has written down. Nothing is loaded without --measure, and nothing
    downloaded.
    """
    from polyglance.listing.describe import describe
    from polyglance.listing.entry import Entry
    from polyglance.listing.places import below, built_in, in_hub_cache

    places = [
        *built_in(),
        *in_hub_cache(),
        *(it for folder in folders or () for it in below(folder)),
    ]
    described = [describe(place) for place in dict.fromkeys(places)]
    entries = [each for each in described if isinstance(each, Entry)]
    unusable = [each for each in described if not isinstance(each, Entry)]
    speeds, slow = _speeds(entries) if measure else ({}, [])
    unusable += slow
    if as_json:
        print_json(_as_json(entries, unusable, speeds))
    else:
        _print(entries, unusable, speeds)


def _speeds(entries: Sequence[Entry]) -> tuple[dict[str, Speed], list[Unusable]]:
    """Name → speed, and why the others could not be timed."""
    from polyglance.errors import ModelError, WeightsError
    from polyglance.listing.entry import Unusable
    from polyglance.listing.speed import measure_speed
    from polyglance.search.encoder import load_encoder

    speeds: dict[str, Speed] = {}
    failed: list[Unusable] = []
    for entry in entries:
        typer.echo(f"measuring {entry.name}", err=True)
        try:
            speeds[entry.name] = measure_speed(load_encoder(entry.name))
        except (ModelError, WeightsError) as error:
            failed.append(Unusable(entry.name, f"not measured: {error}"))
    return speeds, failed


def _as_json(
    entries: Sequence[Entry], unusable: Sequence[Unusable], speeds: Mapping[str, Speed]
) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "models": [_entry_json(entry, speeds.get(entry.name)) for entry in entries],
        "unusable": [asdict(each) for each in unusable],
    }


def _entry_json(entry: Entry, speed: Speed | None) -> dict[str, Any]:
    from dataclasses import asdict

    measured = entry.measured
    return asdict(entry) | {
        "folder": str(entry.folder),
        "measured": None
        if measured is None
        else {
            "source": str(measured.source),
            "text_to_image": {
                tag: {"R@1": found.at_1, "R@5": found.at_5, "R@10": found.at_10}
                for tag, found in measured.recalls.items()
            },
            "worst": measured.worst,
        },
        "speed": None if speed is None else speed._asdict(),
    }


def _print(
    entries: Sequence[Entry], unusable: Sequence[Unusable], speeds: Mapping[str, Speed]
) -> None:
    header = ["model", "system", "parameters", "MB", "dimension", "languages"]
    rows = [_row(entry) for entry in entries]
    if speeds:
        header += ["texts/s", "pictures/s"]
        rows = [
            row + _rates(speeds.get(entry.name)) for row, entry in zip(rows, entries, strict=True)
        ]
    print_table("Models", header, rows)
    _print_recalls(entries)
    for entry in entries:
        for name in entry.missing:
            typer.echo(f"{entry.name}: {name} is not here; `polyglance download {name}` fetches it")
    for each in unusable:
        typer.echo(f"{each.name}: {each.reason}")


def _row(entry: Entry) -> list[str]:
    weights = entry.weights
    counted = [f"{weights.parameters / 1e6:.1f} M"] if weights.parameters else []
    return [
        entry.name,
        entry.system,
        " + ".join([*counted, *weights.uncounted]),
        f"{weights.size / 1e6:.0f}",
        UNKNOWN if entry.dimension is None else str(entry.dimension),
        " ".join(entry.languages) or UNKNOWN,
    ]


def _rates(speed: Speed | None) -> list[str]:
    return [UNKNOWN, UNKNOWN] if speed is None else [f"{rate:.0f}" for rate in speed]


def _print_recalls(entries: Sequence[Entry]) -> None:
    """R@10 of every model and language, and which file says so."""
    measured = {entry.name: entry.measured for entry in entries if entry.measured is not None}
    tags = sorted({tag for each in measured.values() for tag in each.recalls})
    rows = [
        [
            name,
            *(f"{each.recalls[tag].at_10:.1f}" if tag in each.recalls else UNKNOWN for tag in tags),
            each.worst,
        ]
        for name, each in measured.items()
    ]
    print_table("Text→image R@10, %", ["model", *tags, "worst"], rows)
    for name, each in measured.items():
        typer.echo(f"{name}: as {each.source} tells")
