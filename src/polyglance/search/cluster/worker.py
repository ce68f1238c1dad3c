"""One worker of a cluster: loads the model once, then takes shards to files, one after another.

It knows nothing of Ray. What keeps it from working is a sentence that it returns: errors would
travel as pickles, with a traceback around them.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from polyglance import __version__
from polyglance.errors import PolyglanceError
from polyglance.search.cluster.shards import Shard, write_shard
from polyglance.search.embed import Embedded, Familiar, Outcomes, Unreadable, embed_files
from polyglance.search.encoder import Encoder
from polyglance.search.parallel import batched

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGITS = 32  # of a content's digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What all workers of a run are told.

    Attributes:
        model: its name or folder.
        fingerprint: that it must have.
        root: absolute folder that the files' paths are relative to.
        folder: absolute one where shards are written.
        batch_size: files encoded at once.
        places: whether shards may hold where pictures were taken.
        load: gives the model of a name.
        version: of Polyglance.
    """

    model: str
    fingerprint: str
    root: Path
    folder: Path
    batch_size: int
    places: bool
    load: Callable[[str], Encoder]
    version: str = __version__


class Worker:
    """Takes shards to their embeddings.

    Args:
        job: what is to be done.
        familiar: of :func:`as_array`: contents that have an embedding already.
    """

    def __init__(self, job: Job, familiar: NDArray[np.bytes_]) -> None:
        self.job = job
        self.familiar = familiar
        self.encoder: Encoder | None = None

    def prepare(self) -> str:
        """Load the model; returns what keeps this machine from working, or nothing."""
        try:
            trouble = self._trouble() or self._load()
        except PolyglanceError as error:
            trouble = str(error)
        return f"{platform.node()}: {trouble}" if trouble else ""

    def embed(self, shard: Shard) -> str:
        """Write the shard's file; returns why it could not be written, or nothing."""
        assert self.encoder is not None  # noqa: S101 -- `prepare` came first
        outcomes: Outcomes = []
        for files in batched(shard.files, self.job.batch_size):
            outcomes += embed_files(
                files,
                encoder=self.encoder,
                root=self.job.root,
                is_familiar=partial(is_in, self.familiar),
            )
        if not self.job.places:
            outcomes = [_without_place(each) for each in outcomes]
        try:
            path = self.job.folder / shard.name
            write_shard(path, outcomes, fingerprint=self.job.fingerprint)
        except OSError as error:
            return f"{platform.node()}: {self.job.folder}: cannot be written: {error.strerror}"
        return ""

    def _trouble(self) -> str:
        job = self.job
        if job.version != __version__:
            return f"has Polyglance {__version__}, not {job.version}; install the same everywhere"
        same = "pictures and collection must lie under the same path on every machine"
        if not job.folder.is_dir():
            return f"there is no folder {job.folder}; {same}"
        if not job.root.is_dir() or not any(job.root.iterdir()):
            return f"{job.root} is empty or missing; {same}"
        return ""

    def _load(self) -> str:
        job = self.job
        self.encoder = job.load(job.model)
        if self.encoder.fingerprint != job.fingerprint:
            return (
                f"{job.model!r} is another model here ({self.encoder.fingerprint[:12]}, not "
                f"{job.fingerprint[:12]}); give every machine the same"
            )
        return ""


def _without_place(outcome: Embedded | Familiar | Unreadable) -> Embedded | Familiar | Unreadable:
    return outcome._replace(place=None) if isinstance(outcome, Embedded) else outcome


def as_array(familiar: AbstractSet[str]) -> NDArray[np.bytes_]:
    """Contents, sorted: an array lies in a machine's memory once, for all of its workers."""
    return np.array(sorted(familiar), dtype=f"S{DIGITS}")


def is_in(familiar: NDArray[np.bytes_], content: str) -> bool:
    """Whether :func:`as_array` was given this content."""
    key = content.encode("ascii")
    at = int(np.searchsorted(familiar, np.bytes_(key)))
    return at < len(familiar) and bytes(familiar[at]) == key
