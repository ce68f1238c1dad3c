"""Memory that goes back to the system when it is freed, while large tables are put in order.

glibc keeps what it frees for later, in ever larger blocks the larger those are that it has seen. So
a process would hold for good what joining a table's files took for a second: some hundreds of
megabytes, and more with the table.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Of <malloc.h>.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
# Bytes from which a block is the system's own, which takes it back when it is freed.
GIVEN_BACK = 1 << 20
# What glibc comes to by itself once large blocks were freed, and what fast arithmetic wants: pages
# from the system are slow to come.
KEPT = 32 << 20


@contextmanager
def giving_back() -> Iterator[None]:
    """Give large blocks back as they are freed, in all threads; does nothing without glibc."""
    _set_threshold(GIVEN_BACK)
    try:
        yield
    finally:
        _set_threshold(KEPT)


def _set_threshold(size: int) -> None:
    if (malloc := _glibc()) is not None:
        malloc.mallopt(MMAP_THRESHOLD, size)
        malloc.mallopt(TRIM_THRESHOLD, 2 * size)


def _glibc() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
