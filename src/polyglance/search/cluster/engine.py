"""Files to embeddings by the workers of a Ray cluster, in shards that are finished once.

Each worker writes a shard's outcome into the folder ``shards`` of the collection, as a file that is
whole or not there. The one writer takes it into the tables with its next transaction, and only then
drops the file. So whatever is killed, a worker, its machine or the command, a finished shard is in
the tables or in its file; run again, the command takes in the files before it hands out the rest.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from polyglance.errors import ClusterError
from polyglance.search.cluster.connection import connected, require_ray
from polyglance.search.cluster.pool import Pool
from polyglance.search.cluster.shards import (
    SUFFIX,
    cut,
    read_shard,
    with_captions,
)
from polyglance.search.cluster.worker import Job, Worker, as_array
from polyglance.search.embed import Familiar, Outcomes, Unreadable
from polyglance.search.encoder import Encoder, load_encoder
from polyglance.search.engine import Work
from polyglance.search.lance import writing
from polyglance.search.scan import Found
from polyglance.search.schema import SHARDS


class RayEngine:
    """An :class:`~polyglance.search.engine.Engine` of a Ray cluster.

    Args:
        address: of a cluster that runs, or ``auto``; without it one of this machine's processors.
        workers: how many, with a processor each; by default as many as the cluster has.
        load: gives a worker the model by its name.

    Raises:
        ClusterError: Ray is not installed.
    """

    def __init__(
        self,
        *,
        address: str | None = None,
        workers: int | None = None,
        load: Callable[[str], Encoder] = load_encoder,
    ) -> None:
        require_ray(address)
        self.address = address
        self.workers = workers
        self.load = load
        self._taken: list[Path] = []
        self._over: Path | None = None

    def outcomes(self, work: Work) -> Generator[Outcomes]:
        """What an earlier run finished first, then a shard at a time as workers finish them."""
        self._over = None
        folder = (work.collection / SHARDS).resolve()
        todo = {file.path: file for file in work.files}
        for outcomes in self._left_over(folder, todo, work):
            for each in outcomes:
                del todo[each.file.path]
            yield outcomes
        if todo:
            yield from self._embedded(folder, list(todo.values()), work)
        self._over = folder

    def committed(self) -> None:
        """Drop the files that were taken in; after the last of them, their folder."""
        for path in self._taken:
            path.unlink(missing_ok=True)
        self._taken.clear()
        if self._over is not None:
            shutil.rmtree(self._over, ignore_errors=True)

    def _left_over(self, folder: Path, todo: dict[str, Found], work: Work) -> Iterator[Outcomes]:
        """What an earlier run finished and did not write, in so far as it is still true."""
        for path in sorted(folder.glob(f"[!.]*{SUFFIX}")):
            try:
                outcomes = read_shard(path, fingerprint=work.encoder.fingerprint)
            except (OSError, ValueError):  # the files that it was about are done again
                outcomes = []
            self._taken.append(path)
            yield with_captions([each for each in outcomes if _holds(each, todo, work)], todo)

    def _embedded(self, folder: Path, files: list[Found], work: Work) -> Iterator[Outcomes]:
        with writing(work.collection):
            folder.mkdir(exist_ok=True)
        shards = cut(files, batch_size=work.batch_size, run=secrets.token_hex(4))
        by_path = {file.path: file for file in files}
        with connected(self.address, workers=self.workers) as ray:
            pool = Pool(
                ray,
                self._start(ray, self._job(folder, work), work),
                size=self.workers or _processors(ray),
            )
            with closing(pool.finished(shards)) as finished:
                for shard in finished:
                    path = folder / shard.name
                    outcomes = _read(path, work.encoder.fingerprint)
                    self._taken.append(path)
                    yield with_captions(outcomes, by_path)

    def _job(self, folder: Path, work: Work) -> Job:
        return Job(
            model=work.encoder.name,
            fingerprint=work.encoder.fingerprint,
            root=work.root,
            folder=folder,
            batch_size=work.batch_size,
            places=work.places,
            load=self.load,
        )

    def _start(self, ray: Any, job: Job, work: Work) -> Callable[[], Any]:
        """What begins a worker: a processor of its own, and no other life after its death."""
        actor = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(Worker)
        start: Callable[[], Any] = partial(actor.remote, job, ray.put(as_array(work.familiar)))
        return start


def _holds(each: Any, todo: dict[str, Found], work: Work) -> bool:
    """Whether an outcome is still that of its file; unreadable ones are looked at again."""
    found, read = todo.get(each.file.path), each.file
    if found is None or (found.size, found.mtime_ns) != (read.size, read.mtime_ns):
        return False
    if isinstance(each, Familiar):
        return each.content in work.familiar
    return not isinstance(each, Unreadable)


def _read(path: Path, fingerprint: str) -> Outcomes:
    try:
        return read_shard(path, fingerprint=fingerprint)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"{path}: a worker wrote it, and it cannot be read here ({error}). The collection must "
            f"lie on storage that all machines share, under the same path"
        ) from error


def _processors(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))
