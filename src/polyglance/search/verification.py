"""Whether a collection still tells the truth about its files, and can be searched at all.

Nothing is ever changed: not the tables, not the description, not a lock.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyglance.errors import CollectionError, ModelError, WeightsError
from polyglance.progress import track
from polyglance.search.caption_words import words_of_captions
from polyglance.search.collection import Collection, File, file_of, read_info
from polyglance.search.digest import digest_of_file
from polyglance.search.lance import REBUILD, TABLES_FOLDER
from polyglance.search.location import Location
from polyglance.search.presence import Looks, Presence
from polyglance.search.schema import embeddings_of, picture_id, readable, shown
from polyglance.search.text_index import has_text_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES_KEPT = 5
REPAIR = "'polyglance collection repair' mends that"
UNIT = 1e-3  # embeddings are made of unit length in float32; so far from it, a cosine is wrong


class Kind(StrEnum):
    """What may be wrong. Of a table and of a model there is one, and its name says what it is."""

    TABLE = "table"
    MODEL = "model"
    NOT_FINITE = "not finite"
    NOT_UNIT = "not unit"
    TWICE = "twice"
    WRONG_KEY = "wrong key"
    WORDS = "words"
    SHOWN = "shown"
    GONE = "gone"
    OUT_OF_REACH = "out of reach"
    CHANGED = "changed"
    UNREADABLE = "unreadable"


# What each kind counts, and the remedy.
MEANINGS = {
    Kind.NOT_FINITE: ("embeddings that are not finite", REPAIR),
    Kind.NOT_UNIT: ("embeddings that are not of unit length", REPAIR),
    Kind.TWICE: ("rows of a path that is there already", REPAIR),
    Kind.WRONG_KEY: ("rows with the key of another path", REPAIR),
    Kind.WORDS: ("rows with other words than their captions", REPAIR),
    Kind.SHOWN: ("rows that show something else than they hold", REPAIR),
    Kind.GONE: ("files gone", "'polyglance collection prune' or 'index' forgets them"),
    Kind.OUT_OF_REACH: ("files out of reach", "is a disk not mounted?"),
    Kind.CHANGED: ("files changed since they were indexed", "run 'polyglance index' again"),
    Kind.UNREADABLE: ("files that cannot be read", "see to their permissions, or to the disk"),
}


@dataclass(slots=True)
class Problem:
    """Something that is wrong: how often, and where first."""

    count: int = 0
    names: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Verdict:
    """What :func:`verify` found.

    Attributes:
        rows: that were read.
        files: that were looked for.
        problems: by kind, in the order of :class:`Kind`; empty where all is well.
    """

    rows: int = 0
    files: int = 0
    problems: dict[Kind, Problem] = field(default_factory=dict)

    def note(self, kind: Kind, *names: str) -> None:
        """Count what is wrong, once a name."""
        if names:
            problem = self.problems.setdefault(kind, Problem())
            problem.count += len(names)
            problem.names += names[: NAMES_KEPT - len(problem.names)]


def verify(
    folder: Location,
    *,
    fingerprint_of: Callable[[str], str],
    content: bool = False,
    show_progress: bool = False,
) -> Verdict:
    """Read every row of a collection and look for every file.

    Args:
        folder: of the collection.
        fingerprint_of: the fingerprint of a model by its name; raises a ModelError or WeightsError
            where it is not on this machine.
        content: read every file whole and compare its digest, in place of size and time.
        show_progress: on stderr.

    Raises:
        CollectionError: there is no collection, or its format is another than this Polyglance's.
    """
    info = read_info(folder, migrate=False)
    verdict = Verdict()
    try:
        if isinstance(folder, Path):
            require_tables(folder)
        collection = Collection(folder, info)
        _check_text_index(collection, verdict)
        files = _check_rows(collection, verdict)
        collection.skip_reasons()
    except CollectionError as error:
        verdict.note(Kind.TABLE, str(error))
    else:
        _check_files(collection, files, verdict, content=content, show_progress=show_progress)
    _check_model(info.model, info.fingerprint, fingerprint_of, verdict)
    verdict.problems = {kind: verdict.problems[kind] for kind in Kind if kind in verdict.problems}
    return verdict


def require_tables(folder: Path) -> None:
    """Refuse a folder without tables.

    Raises:
        CollectionError: there are none.
    """
    if not (folder / TABLES_FOLDER).is_dir():  # LanceDB would make it
        raise CollectionError(f"{folder}: the folder {TABLES_FOLDER!r} is missing; {REBUILD}")


def _check_rows(collection: Collection, verdict: Verdict) -> list[File]:
    """Read all columns of all rows; returns the files behind them."""
    files: list[File] = []
    seen: set[int] = set()
    columns = collection.pictures.schema.names
    described = [name for name in columns if name != "embedding"]
    for batch in collection.batches(columns):
        rows = batch.select(described).to_pylist()
        verdict.rows += len(rows)
        _check_embeddings(embeddings_of(batch), [row["path"] for row in rows], verdict)
        for row in rows:
            file = file_of(row)
            place = hash((file.path, row["moment"]))  # of 64 bits, in place of the strings
            if place in seen:
                verdict.note(Kind.TWICE, row["path"])
            if row["file"] != picture_id(file.path):
                verdict.note(Kind.WRONG_KEY, row["path"])
            elif row["shown"] != shown(row):
                verdict.note(Kind.SHOWN, row["path"])
            if row["words"] != _words(row):
                verdict.note(Kind.WORDS, row["path"])
            if row["id"] == row["file"] and place not in seen:
                files.append(file)
            seen.add(place)
    return files


def _words(row: dict[str, Any]) -> str | None:
    """What the column ``words`` should hold."""
    is_first = row["id"] == row["file"]
    return words_of_captions(json.loads(row["captions"] or "null")) if is_first else None


def _check_text_index(collection: Collection, verdict: Verdict) -> None:
    if not has_text_index(collection.pictures):
        trouble = f"{collection.folder}: the index of its captions' words is missing; {REPAIR}"
        verdict.note(Kind.TABLE, trouble)


def is_finite(embeddings: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(rows, dimension) → (rows,)."""
    return np.asarray(np.isfinite(embeddings).all(axis=1))


def is_unit(embeddings: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(rows, dimension) → (rows,), as far as rounding allows."""
    with np.errstate(invalid="ignore", over="ignore"):
        lengths: NDArray[np.float32] = np.linalg.norm(embeddings, axis=1)  # (rows,)
        return np.isclose(lengths, 1, rtol=0, atol=UNIT)


def _check_embeddings(
    embeddings: NDArray[np.float32], names: Sequence[str], verdict: Verdict
) -> None:
    finite = is_finite(embeddings)
    far = finite & ~is_unit(embeddings)
    verdict.note(Kind.NOT_FINITE, *(names[i] for i in np.flatnonzero(~finite).tolist()))
    verdict.note(Kind.NOT_UNIT, *(names[i] for i in np.flatnonzero(far).tolist()))


def _check_files(
    collection: Collection,
    files: Sequence[File],
    verdict: Verdict,
    *,
    content: bool,
    show_progress: bool,
) -> None:
    looks = Looks(collection)
    verdict.files = len(files)
    with track("files", len(files), show=show_progress) as advance:
        for file in sorted(files, key=lambda file: file.path):
            presence = looks.presence(file)
            there = presence in (Presence.UNCHANGED, Presence.CHANGED)
            kind = _kind_by_content(collection, file) if content and there else _KINDS[presence]
            if kind is not None:
                verdict.note(kind, readable(file.path))
            advance(1)


_KINDS = {
    Presence.UNCHANGED: None,
    Presence.CHANGED: Kind.CHANGED,
    Presence.GONE: Kind.GONE,
    Presence.OUT_OF_REACH: Kind.OUT_OF_REACH,
}


def _kind_by_content(collection: Collection, file: File) -> Kind | None:
    try:
        same = digest_of_file(collection.absolute(file.path)) == file.content
    except OSError:
        return Kind.UNREADABLE
    return None if same else Kind.CHANGED


def _check_model(
    name: str, fingerprint: str, fingerprint_of: Callable[[str], str], verdict: Verdict
) -> None:
    try:
        found = fingerprint_of(name)
    except (ModelError, WeightsError) as error:
        verdict.note(Kind.MODEL, str(error))
        return
    if found != fingerprint:
        told = f"{name!r} is {found[:12]} here, and was {fingerprint[:12]}"
        verdict.note(Kind.MODEL, told)
