"""Several threads that each take a batch from the file to the embedding.

A forward pass split over threads makes them wait for one another at every layer, and any other work
on the machine, such as decoding the next pictures, makes them all wait for the slowest. Threads
that share nothing do not wait. ResNet-50 in bfloat16, two cores: one thread alone encodes 37
pictures a second, a pass split over both cores 43; while other programs kept the cores busy, the
split pass encoded 12, and two threads with a batch each 40.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from polyglance.data.ahead import ordered_ahead
from polyglance.processors import processors

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_WORKERS = 8  # each holds the activations of a batch; more cores than that are shared out


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int | None = None
) -> Generator[Result]:
    """``map`` by several threads, in order, at most two items a thread ahead of the consumer.

    Args:
        function: called in the threads.
        items: taken as they are needed.
        workers: how many threads; by default a thread a core, and eight at most.
    """
    cores = _cores()
    workers = workers or min(cores, MOST_WORKERS)
    with _torch_threads(max(1, cores // workers)) as initializer:
        yield from ordered_ahead(
            function, items, workers=workers, ahead=2 * workers + 1, initializer=initializer
        )


def batched(items: Iterable[Item], size: int) -> Iterator[Sequence[Item]]:
    """Lists of ``size`` items; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _cores() -> int:
    """How many to use: as many as torch does, where it is there."""
    torch = sys.modules.get("torch")
    return processors() if torch is None else int(torch.get_num_threads())


@contextmanager
def _torch_threads(count: int) -> Iterator[Callable[[], None]]:
    """Give what makes torch use ``count`` threads in the thread that calls it.

    The number also becomes torch's default for threads begun later; it is put back in the end.
    Models that run without torch are not concerned: it is never imported for this.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield lambda: None
        return
    before = torch.get_num_threads()
    try:
        yield lambda: torch.set_num_threads(count)
    finally:
        torch.set_num_threads(before)
