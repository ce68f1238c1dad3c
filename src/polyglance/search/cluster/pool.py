"""Workers with a shard each: who dies is replaced, and the shard goes to somebody else.

These are actors of Ray's core, and not Ray Data's. Ray Data ties a block of data to the actor that
was first given it, and lets that actor be restarted without end: a node that is lost for good, with
no room for its actors elsewhere, would be waited for for ever, and a picture that kills whoever
decodes it would be tried for ever. Here a shard waits for nobody in particular, and is given up
with a sentence after it has cost a few workers. Nothing but names goes through Ray: pictures are
read where they are encoded, and what comes of them lies in files.
"""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from polyglance.errors import ClusterError
from polyglance.search.cluster.connection import told_by
from polyglance.search.cluster.shards import Shard

MOST_DEATHS = 3  # of workers over one shard
MORE_FAILED_STARTS = 3  # than there are to be workers
SECONDS_BETWEEN_WORDS = 30.0

RESUME = "what was finished is safe, and the same command goes on from there"


class Pool:
    """Runs shards on a number of workers.

    Args:
        ray: the module, connected to a cluster.
        start: begins a worker and returns its handle.
        size: how many workers, at most.
    """

    def __init__(self, ray: Any, start: Callable[[], Any], *, size: int) -> None:
        self._ray = ray
        self._start = start
        self._size = size
        self._waiting: deque[Shard] = deque()
        self._starting: dict[Any, Any] = {}  # what will tell that it is ready → a worker
        self._idle: list[Any] = []
        self._running: dict[Any, tuple[Any, Shard]] = {}  # what will tell of the end → who, what
        self._deaths: Counter[str] = Counter()
        self._failed_starts = 0

    def finished(self, shards: Sequence[Shard]) -> Generator[Shard]:
        """Yield each of the shards once its file is there.

        Raises:
            ClusterError: a worker cannot work, or workers keep dying.
        """
        self._waiting.extend(shards)
        try:
            while self._waiting or self._running:
                self._hire()
                self._hand_out()
                yield from self._next()
        finally:
            self._dismiss()

    def _hire(self) -> None:
        wanted = min(self._size, len(self._waiting) + len(self._running))
        while len(self._starting) + len(self._idle) + len(self._running) < wanted:
            worker = self._start()
            self._starting[worker.prepare.remote()] = worker

    def _hand_out(self) -> None:
        while self._idle and self._waiting:
            worker, shard = self._idle.pop(), self._waiting.popleft()
            self._running[worker.embed.remote(shard)] = worker, shard

    def _next(self) -> Iterator[Shard]:
        """Wait until anything happens, and draw the consequences."""
        awaited = [*self._starting, *self._running]
        done, _ = self._ray.wait(awaited, num_returns=1, timeout=SECONDS_BETWEEN_WORDS)
        if not done and not self._running:
            print(
                "waiting for workers: the cluster has no processor free, or they load the model",
                file=sys.stderr,
            )
        for told in done:
            if told in self._starting:
                self._started(told)
            else:
                yield from self._ended(told)

    def _started(self, told: Any) -> None:
        worker = self._starting.pop(told)
        try:
            trouble = self._ray.get(told)
        except self._ray.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts >= self._size + MORE_FAILED_STARTS:
                raise ClusterError(
                    f"workers of the cluster end before they have begun ({told_by(error)}). "
                    f"Is the same Polyglance installed on every machine? Then look into Ray's logs"
                ) from error
            return
        self._idle.append(worker)
        self._failed_starts = 0
        if trouble:
            raise ClusterError(f"a worker of the cluster cannot work: {trouble}")

    def _ended(self, told: Any) -> Iterator[Shard]:
        worker, shard = self._running.pop(told)
        try:
            trouble = self._ray.get(told)
        except self._ray.exceptions.RayTaskError:  # it lives, and has found a bug
            self._idle.append(worker)
            raise
        except self._ray.exceptions.RayError as error:
            self._lost(worker, shard, error)
            return
        self._idle.append(worker)
        if trouble:
            raise ClusterError(f"{trouble}; {RESUME}")
        yield shard

    def _lost(self, worker: Any, shard: Shard, error: Exception) -> None:
        self._ray.kill(worker)  # it may be out of reach only, and would go on
        self._deaths[shard.name] += 1
        if self._deaths[shard.name] >= MOST_DEATHS:
            raise ClusterError(
                f"{MOST_DEATHS} workers died, one after another, over the same files, {shard} "
                f"({told_by(error)}); {RESUME}. If one of these files kills whoever reads it, "
                f"take it out of the folder"
            ) from error
        self._waiting.appendleft(shard)

    def _dismiss(self) -> None:
        for worker in (
            *self._starting.values(),
            *self._idle,
            *(worker for worker, _ in self._running.values()),
        ):
            self._ray.kill(worker)
