"""Running a coroutine to its end, whatever else runs in the process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def apart(answer: Coroutine[Any, Any, Any]) -> Any:
    """What it comes to, in a thread of its own: that of a browser's tests has a loop that runs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, answer).result()
