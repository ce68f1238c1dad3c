"""How the server fares, in the numbers that Prometheus collects.

Every label has few values, whatever is asked: routes and not addresses, languages that the model or
the page knows by name, and ``other`` for the rest.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from polyglance.data.language import primary_language
from polyglance.search.query import Query
from polyglance.search.terms import NOT_GIVEN
from polyglance.serve.asgi import App, Message, Receive, Scope, Send
from polyglance.serve.languages import NATIVE_NAMES

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The numbers of one server.

    Args:
        languages: BCP-47 tags of those that the model was trained on.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        self.registry = CollectorRegistry()
        self.languages = {*map(primary_language, languages), *NATIVE_NAMES, NOT_GIVEN}
        here: dict[str, Any] = {"registry": self.registry}
        ProcessCollector(**here)  # memory, processor time, open files
        self.requests = Counter(
            "polyglance_requests", "Requests that were answered.", ["route", "status"], **here
        )
        self.seconds = Histogram(
            "polyglance_request_seconds", "From head to answer.", ["route"], buckets=SECONDS, **here
        )
        self.queries = Counter(
            "polyglance_queries",
            "Searches, by what they ask with and in which language.",
            ["kind", "language"],
            **here,
        )
        self.batch = Histogram(
            "polyglance_encoder_batch_texts",
            "Texts of questions that were encoded at once.",
            buckets=TEXTS,
            **here,
        )
        self.waiting = Gauge(
            "polyglance_waiting_requests", "Requests that wait for their turn.", **here
        )

    def count(self, query: Query | None) -> None:
        """Count a search; ``None`` is one for more like a picture of the collection."""
        self.queries.labels(_kind(query), self._language(query)).inc()

    def exposition(self) -> bytes:
        """All numbers in the text format of Prometheus."""
        return generate_latest(self.registry)

    def _language(self, query: Query | None) -> str:
        spoken = {primary_language(tag) for tag in query.languages} if query else set()
        if len(spoken) != 1:
            return "several" if spoken else "none"
        [tag] = spoken
        return tag if tag in self.languages else "other"


class Measured:
    """Counts and times what passes.

    Args:
        app: what answers.
        metrics: where it is noted.
    """

    def __init__(self, app: App, *, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500  # of an answer that never began
        started = time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            route = _route(scope)
            self.metrics.requests.labels(route, str(status)).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - started)


def _route(scope: Scope) -> str:
    """The route as it is written, without the ids in it; ``other`` for files and the unknown."""
    return getattr(scope.get("route"), "path", None) or "other"


def _kind(query: Query | None) -> str:
    if query is None or all(term.picture is not None for term in query.terms):
        return "similar"
    if query.all_words:
        return "text"
    return "mixed" if query.texts else "image"
