"""Ctrl-C and SIGTERM as a request to stop after the present step."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Which signal has asked to stop, if any.

    Attributes:
        signal: its number, or ``None``.
    """

    def __init__(self) -> None:
        self.signal: int | None = None


@contextmanager
def stop_request(*, told: bool = True) -> Iterator[StopRequest]:
    """Catch the first SIGINT or SIGTERM, which is ``told``; a second one acts at once, as usual.

    Outside the main thread, where Python cannot catch signals, the request never comes.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, _frame: FrameType | None) -> None:
        request.signal = number
        restore()
        if told:
            print("stopping after this step; once more stops at once", file=sys.stderr)

    for number in _SIGNALS:
        signal.signal(number, note)
    try:
        yield request
    finally:
        restore()
