"""How many processors this process may use."""

from __future__ import annotations

import os


def processors() -> int:
    """Fewer than the machine has, in a container or where it was pinned to some of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
