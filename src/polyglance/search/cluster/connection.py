"""The one door to Ray: a cluster that runs somewhere, or one of this machine's own processors.

Whoever reaches the ports of a Ray cluster runs code on it. One that is started here listens on this
machine alone, has no dashboard, reports nothing to anybody, and ends with the command.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from polyglance.errors import ClusterError
from polyglance.processors import processors

MISSING = "--engine ray needs the extra 'polyglance[cluster]': pip install 'polyglance[cluster]'"
# Whether machines may be brought together, on any system; if not, Ray listens on 127.0.0.1 alone
SEVERAL_MACHINES = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
OBJECT_STORE = 200 << 20  # bytes: nothing but the digests of known contents goes through it


def require_ray(address: str | None) -> Any:
    """The module; it reads its settings while it is imported, and so they come first.

    Args:
        address: of the cluster that it is wanted for; ``None`` for one of this machine alone.

    Raises:
        ClusterError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is None:
        os.environ.setdefault(SEVERAL_MACHINES, "0")
    try:
        import ray
    except ImportError:
        raise ClusterError(MISSING) from None
    return ray


@contextmanager
def connected(address: str | None, *, workers: int | None) -> Iterator[Any]:
    """Give the module, connected; where the program is connected already, as it is.

    Args:
        address: of a cluster that runs, or ``auto`` for the one this machine is a part of; without
            it one is started, and stopped afterwards.
        workers: processors of one that is started; by default all of this machine's.

    Raises:
        ClusterError: Ray is not installed, or the cluster cannot be reached or started.
    """
    ray = require_ray(address)
    if ray.is_initialized():
        yield ray
        return
    try:
        with warnings.catch_warnings():
            # LanceDB warns of forks; those of Ray become other programs at once.
            warnings.filterwarnings("ignore", "lancedb fork support", RuntimeWarning)
            ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **({} if address else _own(workers or processors())),
            )
    except Exception as error:  # Ray raises what comes, down to Exception itself
        where = f"the Ray cluster at {address} cannot be reached" if address else "Ray cannot start"
        raise ClusterError(
            f"{where} ({told_by(error)}); "
            + ("'ray status' tells more" if address else "Ray's logs tell more")
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _own(processors: int) -> dict[str, Any]:
    return {
        "num_cpus": processors,
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE,
    }


def told_by(error: Exception) -> str:
    """The first line of what Ray says, which goes on for pages."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
