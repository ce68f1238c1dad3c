"""From a folder to what is told of its model: descriptions and headers are read, no weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from polyglance.errors import ModelError, WeightsError
from polyglance.listing.dimension import dimension_of_checkpoint, dimension_of_published
from polyglance.listing.entry import Entry, Kind, Place, Unusable, Weights
from polyglance.listing.headers import parameters_in, shapes_of
from polyglance.listing.recalls import written_down
from polyglance.onnx.description import IMAGES, TEXTS, is_export, read_description
from polyglance.systems.checkpoint import WEIGHTS, read_config
from polyglance.systems.hub_families import FAMILIES
from polyglance.systems.hub_files import INDEX, read_model_type, weight_files
from polyglance.systems.locate import BUILT_IN


def describe(place: Place) -> Entry | Unusable:
    """What a model's files tell of it; a damaged model with the reason."""
    name, folder = place
    try:
        if is_export(folder):
            return _export(name, folder)
        if read_model_type(folder) is not None:
            return _published(name, folder)
        return _checkpoint(name, folder)
    except (ModelError, WeightsError) as error:
        return Unusable(name, str(error))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Unusable(name, f"its description is damaged: {error!r}")


def _checkpoint(name: str, folder: Path) -> Entry:
    described = read_config(folder)
    model: Mapping[str, Any] = described["model"]
    shapes = shapes_of([folder / WEIGHTS])
    towers = _Towers(tower["name"] for tower in described["towers"].values())
    kind: Kind = "built-in" if folder.parent == BUILT_IN else "checkpoint"
    return Entry(
        name=name,
        folder=folder,
        kind=kind,
        system=str(model["system"]),
        languages=tuple(described["languages"]),
        dimension=dimension_of_checkpoint(model, shapes),
        weights=Weights(
            parameters=parameters_in(shapes) + towers.parameters,
            uncounted=(*towers.uncounted, *towers.missing),
            size=_size(folder) + towers.size,
        ),
        missing=tuple(towers.missing),
        measured=written_down(folder),
    )


def _export(name: str, folder: Path) -> Entry:
    described = read_description(folder)
    towers = _Towers(["sentence-encoder"] if described.texts.kind == "sentences" else [])
    return Entry(
        name=name,
        folder=folder,
        kind="export",
        system=f"ONNX, {described.precision}",
        languages=described.languages,
        dimension=described.dimension,
        weights=Weights(
            parameters=0,
            uncounted=(IMAGES, TEXTS, *towers.uncounted, *towers.missing),
            size=_size(folder) + towers.size,
        ),
        missing=tuple(towers.missing),
    )


def _published(name: str, folder: Path) -> Entry:
    files = [folder / file for file in weight_files(folder) if file != INDEX]
    shapes = shapes_of(files)
    return Entry(
        name=name,
        folder=folder,
        kind="published",
        system=FAMILIES[str(read_model_type(folder))].name,
        languages=(),
        dimension=dimension_of_published(shapes),
        weights=Weights(parameters=parameters_in(shapes), uncounted=(), size=_size(folder)),
    )


class _Towers:
    """The pretrained parts that a model names and does not hold.

    Args:
        names: as checkpoints have them; a space stands between those of one part.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.parameters = 0
        self.size = 0
        self.uncounted: list[str] = []
        self.missing: list[str] = []
        for name in dict.fromkeys(part for joined in names for part in joined.split()):
            self._add(name)

    def _add(self, name: str) -> None:
        from polyglance.weights.catalogue import find
        from polyglance.weights.fetch import folder_of, is_installed

        asset = find(name)
        if not is_installed(asset):
            self.missing.append(name)
            return
        folder = folder_of(asset)
        self.size += _size(folder)
        if (folder / WEIGHTS).is_file():
            self.parameters += parameters_in(shapes_of([folder / WEIGHTS]))
        else:
            self.uncounted.append(name)


def _size(folder: Path) -> int:
    """Bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
