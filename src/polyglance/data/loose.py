"""Loose pictures and videos on a store, brought here as a folder that looks the same.

A file appears whole or not at all, and one that is here in the size that the store tells is not
brought again, so that what was interrupted goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from polyglance.data.ahead import ordered_ahead
from polyglance.data.decode import IMAGE_SUFFIXES
from polyglance.data.files import replaced_when_complete
from polyglance.data.shards import SCHEME, Store, is_shard
from polyglance.data.video import VIDEO_SUFFIXES
from polyglance.errors import ManifestError

SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES
AT_ONCE = 16  # a store answers many at a time, each after a while


class Loose(NamedTuple):
    """A file on a store.

    Attributes:
        place: the store.
        name: below the store's prefix; here it has the same name below the folder.
        size: in bytes.
        address: whole.
    """

    place: Store
    name: str
    size: int
    address: str


@dataclass(slots=True)
class Mirrored:
    """What was brought.

    Attributes:
        files: new ones, and those whose size had changed.
        kept: how many were there before.
        gone: addresses of those that had left the store when their turn came.
    """

    files: list[Path] = field(default_factory=list)
    kept: int = 0
    gone: list[str] = field(default_factory=list)


def find_loose(
    sources: Iterable[str], open_store: Callable[[str], Store]
) -> dict[str, list[Loose]]:
    """Those of the sources that are folders of loose files on a store, and their files.

    A folder that has shards is none: pictures beside them are not of the dataset.

    Args:
        sources: of ``polyglance data fetch``.
        open_store: from ``s3://BUCKET/PATH`` to what is there.

    Raises:
        ManifestError: a name leads out of the folder, or two sources have the same name.
        CollectionError: the store cannot be reached, or refuses.
    """
    found: dict[str, list[Loose]] = {}
    seen: dict[str, str] = {}
    for source in sources:
        if not source.startswith(SCHEME) or is_shard(source):
            continue
        loose = _listed(source, open_store(source))
        for file in loose:
            other = seen.setdefault(file.name, file.address)
            if other != file.address:
                raise ManifestError(f"{other} and {file.address} would become one file")
        if loose:
            found[source] = loose
    return found


def fetch_loose(
    files: Sequence[Loose], folder: Path, *, advance: Callable[[int], None] = lambda _: None
) -> Mirrored:
    """Bring files into a folder, many at a time.

    Args:
        files: of :func:`find_loose`.
        folder: where they go, each below it as it is below the store's prefix.
        advance: told of every file that is done.

    Raises:
        ManifestError: one cannot be written.
        CollectionError: the store cannot be reached, or refuses.
    """
    done = Mirrored()
    outcomes = ordered_ahead(
        lambda file: _bring(file, folder / file.name), files, workers=AT_ONCE, ahead=4 * AT_ONCE
    )
    for file, brought in zip(files, outcomes, strict=True):
        if brought is None:
            done.gone.append(file.address)
        elif brought:
            done.files.append(folder / file.name)
        else:
            done.kept += 1
        advance(1)
    return done


def _listed(source: str, store: Store) -> list[Loose]:
    names = store.files()
    if any(map(is_shard, names)):
        return []
    loose = []
    for name in sorted(names):
        path = PurePosixPath(name)
        if path.suffix.lower() not in SUFFIXES:
            continue
        address = f"{source.rstrip('/')}/{name}"
        # Keys are any text, so a name may lead anywhere.
        if {"", ".", ".."} & set(name.split("/")):
            raise ManifestError(f"{address}: a file below a folder cannot have such a name")
        if not any(part.startswith(".") for part in path.parts):
            loose.append(Loose(store, name, names[name], address))
    return loose


def _bring(file: Loose, target: Path) -> bool | None:
    """Whether it had to be brought; ``None`` where it has left the store."""
    try:
        if target.is_file() and target.stat().st_size == file.size:
            return False
        with replaced_when_complete(target) as temporary:
            file.place.fetch(file.name, temporary)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ManifestError(f"{target}: cannot be written: {error.strerror}") from None
    return True
