"""Bringing a copy of a collection to a store, from which any number of machines read it.

Files of a LanceDB table never change: a new state is new files, and a manifest that names them. So
a later copy writes only the files that are not there yet, and the manifest of the pictures last:
from then on the readers find the new state, whole. What is interrupted before has changed nothing
for them, and the next copy goes on from there.

``published.json`` says which files the copy put there, and since when a file is needed no more: an
hour later it is deleted, as in the folder. Nothing else on the store is ever touched.
"""

from __future__ import annotations

import os
import shutil
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from polyglance.data.locking import only_writer
from polyglance.errors import CollectionError
from polyglance.progress import track
from polyglance.search.calibration import FILE as CALIBRATION_FILE
from polyglance.search.collection import CollectionInfo, read_info
from polyglance.search.compaction import KEEP_OLD_VERSIONS
from polyglance.search.lance import TABLES_FOLDER, connect, reading, writing
from polyglance.search.schema import INFO_FILE, PICTURES, SKIPPED
from polyglance.search.store import Store

LEDGER_FILE = "published.json"
STAGE = ".copy-"
# Beside its numbered manifests a table keeps a hint at the newest, which is written over.
MANIFEST, VERSIONS = ".manifest", "_versions"


class Published(NamedTuple):
    """What a copy came to.

    Attributes:
        files: that were written.
        size: of them, in bytes.
        deleted: files that no reader needs any more.
    """

    files: int
    size: int
    deleted: int


class _Ledger(BaseModel):
    """The content of ``published.json``.

    Attributes:
        created: when the collection was, which tells it from any other.
        fingerprint: of the model that filled it.
        files: name → since when no state that readers look for needs the file; ``None`` while one
            does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    created: datetime
    fingerprint: str
    files: dict[str, datetime | None] = {}

    def with_files(self, files: dict[str, datetime | None]) -> _Ledger:
        return self.model_copy(update={"files": dict(sorted(files.items()))})


def publish(folder: Path, store: Store, *, show_progress: bool = False) -> Published:
    """Copy the newest state of a collection to a store, where readers find it whole or not at all.

    Args:
        folder: of the collection; no other process may be writing into it.
        store: where to; nothing, or an earlier copy of the same collection.
        show_progress: on stderr.

    Raises:
        CollectionError: there is no collection, another process is writing, something else is at
            that place, or it is newer; or the store cannot be reached or written.
    """
    info = read_info(folder)
    with only_writer(folder, CollectionError):
        _delete_leftovers(folder)
        there = store.files()
        ledger = _ledger(store, info, there)
        with TemporaryDirectory(prefix=STAGE, dir=folder) as staged:
            versions = _stage(folder, Path(staged))
            _refuse_newer(store, versions, there)
            tables = _files_below(Path(staged))
            _refuse_others(store, tables, there)
            return _copy(folder, tables, store, ledger, there, show_progress=show_progress)


def _copy(
    folder: Path,
    tables: dict[str, Path],
    store: Store,
    ledger: _Ledger,
    there: dict[str, int],
    *,
    show_progress: bool,
) -> Published:
    coming = ledger.with_files(ledger.files | dict.fromkeys(tables))
    if coming != ledger:
        _write_ledger(store, coming)
    new = {name: path for name, path in tables.items() if there.get(name) != path.stat().st_size}
    size = sum(path.stat().st_size for path in new.values())
    with track("files", len(new), show=show_progress) as advance:
        for name in sorted(new, key=_turn):
            store.write(name, new[name])
            advance(1)
    for name in (CALIBRATION_FILE, INFO_FILE):  # the description makes a first copy valid
        size += _write_if_new(store, folder / name, there)
    deleted = _forget(store, coming, tables)
    return Published(files=len(new), size=size, deleted=deleted)


def _stage(folder: Path, staged: Path) -> dict[str, int]:
    """Leave in ``staged`` the files that the newest state of each table needs, and no others.

    They are links to those of the collection, from which LanceDB takes away what only older states
    need. Returns the version of each table.
    """
    versions: dict[str, int] = {}
    for name in (PICTURES, SKIPPED):
        with writing(folder):
            table = connect(folder).open_table(name)
            versions[name] = _bring_to_rest(table)
        place = f"{TABLES_FOLDER}/{name}.lance"
        with writing(folder):
            shutil.copytree(folder / place, staged / place, copy_function=_link)
        with writing(folder), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of readers, of which there are none
            copy = connect(staged).open_table(name)
            copy.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)
        if copy.version != versions[name]:  # its number would belong to two states
            raise CollectionError(f"{folder}: the table {name!r} has not come to rest; try again")
    return versions


def _bring_to_rest(table: Any) -> int:
    """Optimise a table until that changes nothing; returns its version.

    Rows that the first time takes into the indices are joined with others by the next.
    """
    before = -1
    while table.version != before:
        before = int(table.version)
        table.optimize(cleanup_older_than=KEEP_OLD_VERSIONS)
    return before


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copy2(source, target)


def _delete_leftovers(folder: Path) -> None:
    """Nobody else is writing, so these are of a copy that was killed."""
    with writing(folder):
        for leftover in folder.glob(f"{STAGE}*"):
            shutil.rmtree(leftover)


def _files_below(staged: Path) -> dict[str, Path]:
    files = (path for path in staged.rglob("*") if path.is_file())
    names = {path.relative_to(staged).as_posix(): path for path in files}
    return {
        name: path
        for name, path in names.items()
        if path.parent.name != VERSIONS or path.suffix == MANIFEST
    }


def _turn(name: str) -> tuple[bool, bool, str]:
    """Manifests after all else, and that of the pictures last."""
    return name.endswith(MANIFEST), PICTURES in name.split("/")[1], name


def _ledger(store: Store, info: CollectionInfo, there: dict[str, int]) -> _Ledger:
    """What earlier copies of the collection have put there.

    Raises:
        CollectionError: something else is there.
    """
    if not there:
        return _Ledger(created=info.created, fingerprint=info.fingerprint)
    try:
        ledger = _Ledger.model_validate_json(store.read(LEDGER_FILE))
    except (FileNotFoundError, ValidationError):
        raise CollectionError(
            f"{store} is no copy of a collection, and not empty; choose another path"
        ) from None
    if (ledger.created, ledger.fingerprint) != (info.created, info.fingerprint):
        raise CollectionError(
            f"{store} is a copy of another collection; choose another path, or delete it there"
        )
    return ledger


def _refuse_newer(store: Store, versions: dict[str, int], there: dict[str, int]) -> None:
    """A copy that is ahead was made from another folder, as one that was restored since.

    Raises:
        CollectionError: a table is.
    """
    if INFO_FILE not in there:
        return
    for name, version in versions.items():
        with reading(store):
            copied = int(connect(store).open_table(name).version)
        if copied > version:
            raise CollectionError(
                f"{store} is newer than the collection here (version {copied} of {name!r}, not "
                f"{version}): was it copied from another folder? Choose another path"
            )


def _refuse_others(store: Store, tables: dict[str, Path], there: dict[str, int]) -> None:
    """A state of the same number that is another was made from another folder as well.

    Raises:
        CollectionError: of a table it is.
    """
    for name, path in tables.items():
        if name.endswith(MANIFEST) and name in there and store.read(name) != path.read_bytes():
            raise CollectionError(
                f"{store} has another state than the collection here, with the same number: was "
                f"it copied from another folder? Choose another path"
            )


def _write_if_new(store: Store, path: Path, there: dict[str, int]) -> int:
    """Write a small file where it is missing or differs; returns the bytes written."""
    if not path.exists():
        return 0
    content = path.read_bytes()
    if path.name in there and store.read(path.name) == content:
        return 0
    store.write(path.name, content)
    return len(content)


def _forget(store: Store, ledger: _Ledger, tables: dict[str, Path]) -> int:
    """Write down what is needed no more, and delete what has not been for an hour."""
    now = datetime.now(UTC)
    since = {
        name: None if name in tables else before or now for name, before in ledger.files.items()
    }
    old = [name for name, when in since.items() if when and now - when >= KEEP_OLD_VERSIONS]
    for name in old:
        store.delete(name)
        del since[name]
    if since != ledger.files:
        _write_ledger(store, ledger.with_files(since))
    return len(old)


def _write_ledger(store: Store, ledger: _Ledger) -> None:
    store.write(LEDGER_FILE, ledger.model_dump_json().encode())
