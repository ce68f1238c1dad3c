"""Polyglance: find any picture in any language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyglance.reranker import Reranker
    from polyglance.retriever import Retriever

__version__ = "0.1.0"
__all__ = ["Reranker", "Retriever", "__version__"]


def __getattr__(name: str) -> Any:
    # Importing the package must stay cheap; torch is loaded when a model is.
    if name == "Reranker":
        from polyglance.reranker import Reranker

        return Reranker
    if name == "Retriever":
        from polyglance.retriever import Retriever

        return Retriever
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
