"""The pictures that a recipe names: to learn from, and held back."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyglance.data.manifest import read_manifest
from polyglance.data.record import Record
from polyglance.data.splits import HELD_BACK, LEARNED, of_splits
from polyglance.errors import ConfigError
from polyglance.training.recipe import Recipe

if TYPE_CHECKING:
    from polyglance.training.loop import Split


def read_records(recipe: Recipe) -> dict[Split, list[Record]]:
    """The recipe's pictures, by what they are for: see :mod:`polyglance.data.splits`.

    Raises:
        ManifestError: a manifest is missing or malformed.
        ConfigError: a manifest has no pictures, or none for that.
    """
    learned = _read(recipe.data.train, LEARNED, "data.train")
    records: dict[Split, list[Record]] = {"train": learned[: recipe.data.limit]}
    if recipe.data.validation is not None:
        held_back = _read(recipe.data.validation, HELD_BACK, "data.validation")
        records["validation"] = held_back[: recipe.data.validation_limit]
    return records


def _read(manifest: Path, splits: Collection[str], key: str) -> list[Record]:
    records = read_manifest(manifest)
    if not records:
        raise ConfigError(f"{key}: the manifest has no pictures")
    if not (found := of_splits(records, splits)):
        others = ", ".join(sorted({str(record.split) for record in records}))
        raise ConfigError(
            f"{key}: {manifest} has pictures of the splits {others} and of none of "
            f"{', '.join(splits)}"
        )
    return found


def tell_shared(records: Mapping[Split, Sequence[Record]]) -> None:
    """Say how many held-back pictures are trained on as well."""
    trained = {_source(record) for record in records["train"]}
    held_back = records.get("validation", ())
    if shared := sum(_source(record) in trained for record in held_back):
        print(
            f"{shared} of {len(held_back)} validation pictures are trained on as well: what is "
            "measured on them is memory, not skill",
            file=sys.stderr,
        )


def _source(record: Record) -> str:
    return str(record.features or record.file)
