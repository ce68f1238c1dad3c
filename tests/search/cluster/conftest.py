"""A Ray cluster on this machine, begun once: a head of two processors; other nodes come and go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polyglance.search.cluster.connection import require_ray

TESTS = Path(__file__).parents[2]
NODE: dict[str, Any] = {"node_ip_address": "127.0.0.1", "object_store_memory": 100 << 20}

# On a machine that has other things to do, too, workers begin late, and would be given up.
BUSY = {"RAY_worker_niceness": "0", "RAY_worker_register_timeout_seconds": "600"}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """The cluster, and this process connected to it."""
    before = dict(os.environ)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TESTS), str(TESTS.parent / "src")])
    os.environ |= BUSY
    ray = require_ray(None)  # listens on this machine alone
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 2, "include_dashboard": False, **NODE},
    )
    try:
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
        os.environ.clear()
        os.environ.update(before)
