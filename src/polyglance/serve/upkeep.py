"""What those ask who look after a server: does it live, is it ready, how does it fare."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from polyglance.errors import CollectionError
from polyglance.search.searcher import Searcher
from polyglance.serve.interface import N_
from polyglance.serve.metrics import Metrics

UNREADABLE = N_("the collection cannot be read at present")  # not where on this machine it lies


def make_upkeep(searcher: Searcher, metrics: Metrics) -> APIRouter:
    """The addresses ``/health``, ``/ready`` and ``/metrics``."""
    upkeep = APIRouter(include_in_schema=False)

    @upkeep.get("/health")
    async def health() -> dict[str, str]:
        """The process answers; where it does not, it should be started anew."""
        return {"status": "alive"}

    @upkeep.get("/ready")
    def ready(response: Response) -> dict[str, str]:
        """The model is loaded, and the collection can be read; else it should be asked nothing."""
        try:
            searcher.collection.refresh()
        except CollectionError as error:
            logging.getLogger(__name__).warning("not ready: %s", error)
            response.status_code = 503
            return {"status": UNREADABLE}
        return {"status": "ready"}

    @upkeep.get("/metrics")
    async def numbers() -> Response:
        """Numbers for Prometheus."""
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    return upkeep
