"""Connections on which nothing moves: Uvicorn waits for them without end, and we do not."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS_FOR_A_HEAD = 10.0
SECONDS_TO_TAKE = 30.0


class Connection(H11Protocol):
    """Cut where the head of a request does not come in time, or an answer is not taken.

    Between two requests Uvicorn's own limit counts, and what comes after a head is limited by
    :mod:`polyglance.serve.protection`.
    """

    _head: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a head from now on."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Expect the rest of a head, if it is not there."""
        super().data_received(data)
        self._expect()

    def pause_writing(self) -> None:
        """Expect that what was written is taken."""
        super().pause_writing()
        self._taking = self.loop.call_later(SECONDS_TO_TAKE, self.transport.abort)

    def resume_writing(self) -> None:
        """Most of it was."""
        super().resume_writing()
        _cancel(self._taking)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        _cancel(self._head)
        _cancel(self._taking)
        super().connection_lost(exc)

    def _expect(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            _cancel(self._head)
            self._head = None
        elif self._head is None:
            self._head = self.loop.call_later(SECONDS_FOR_A_HEAD, self.transport.close)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
