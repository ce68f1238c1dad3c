"""What all that stands before the application is written in: ASGI's messages, and a refusal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]
# On the page, htmx puts a refusal where the results stand, and not in the place of their element.
WITHIN = {"hx-reswap": "innerHTML"}


async def refuse(send: Send, status: int, reason: str, headers: Iterable[Header] = ()) -> None:
    """Answer with a status and a sentence."""
    own = {"content-type": "text/plain; charset=utf-8", **WITHIN}
    encoded = [(name.encode(), value.encode()) for name, value in own.items()]
    await send({"type": "http.response.start", "status": status, "headers": [*encoded, *headers]})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})
