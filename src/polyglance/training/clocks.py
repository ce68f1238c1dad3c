"""How fast a run goes, and when it should write its state."""

from __future__ import annotations

import time
from types import TracebackType

LEAST_SECONDS = 5.0
SHARE = 20  # a checkpoint may cost a twentieth of the time


class Pace:
    """Pairs a second since the last look."""

    def __init__(self) -> None:
        self._pairs, self._seconds = 0, 0.0

    def count(self, pairs: int, seconds: float) -> None:
        """Add a step."""
        self._pairs, self._seconds = self._pairs + pairs, self._seconds + seconds

    def per_second(self) -> float:
        """Since the last call."""
        pace = self._pairs / self._seconds if self._seconds else 0.0
        self._pairs, self._seconds = 0, 0.0
        return round(pace, 1)


class SaveTimer:
    """Says when to save: every few seconds, less often where saving is slow.

    What a kill -9 can cost is what was trained since the last save: five seconds, or twenty times
    what a save takes. Use as a context manager around each save.
    """

    def __init__(self) -> None:
        self._started = self._saved = time.monotonic()
        self._pause = LEAST_SECONDS

    def is_due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self._pause

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._saved = time.monotonic()
        self._pause = max(LEAST_SECONDS, SHARE * (self._saved - self._started))
