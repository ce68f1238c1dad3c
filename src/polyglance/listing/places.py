"""Where models are: in the package, below folders, and in the local cache of the hub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from polyglance.errors import ModelError
from polyglance.listing.entry import Place
from polyglance.onnx.description import FILE
from polyglance.systems.checkpoint import CONFIG, WEIGHTS
from polyglance.systems.hub_families import FAMILIES
from polyglance.systems.hub_files import read_model_type
from polyglance.systems.locate import BUILT_IN, built_in_models

MAIN = "main"  # the revision that a name without one stands for


def built_in() -> list[Place]:
    """The models that the package carries."""
    return [Place(name, BUILT_IN / name) for name in built_in_models()]


def below(folder: Path) -> list[Place]:
    """The models in a folder and below, by path; links and hidden folders are passed over.

    Raises:
        ModelError: there is no such folder.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; name one with models in it")
    return [Place(str(found), found) for found in _walk(folder)]


def in_hub_cache() -> list[Place]:
    """Published dual encoders that were downloaded before; nothing is downloaded."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        cached = scan_cache_dir()
    except (CacheNotFound, ValueError):  # ValueError: a file where the cache should be
        return []
    found = [
        Place(repository.repo_id, revision.snapshot_path)
        for repository in cached.repos
        for revision in repository.revisions
        if repository.repo_type == "model" and MAIN in revision.refs
    ]
    return sorted(place for place in found if _is_published(place.folder))


def _walk(top: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(top):
        folder = Path(place)
        if _is_model(folder, files):
            folders.clear()
            yield folder
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def _is_model(folder: Path, files: list[str]) -> bool:
    if FILE in files:
        return True
    if CONFIG not in files:
        return False
    return _is_published(folder) or (WEIGHTS in files and _is_ours(folder))


def _is_ours(folder: Path) -> bool:
    """Whether its description is no other library's; one that is damaged is to be told of."""
    try:
        return read_model_type(folder) is None
    except ModelError:
        return True


def _is_published(folder: Path) -> bool:
    try:
        return read_model_type(folder) in FAMILIES
    except (ModelError, TypeError):  # TypeError: not a string
        return False
