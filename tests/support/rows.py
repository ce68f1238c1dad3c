"""Rows of collections whose pictures never were files."""

from __future__ import annotations

from typing import Any

from polyglance.search.schema import Stored, picture_id


def a_row(path: str, embedding: Any, **more: Any) -> Stored:
    """A picture of one pixel, of which nothing is known but what is said here."""
    row: dict[str, Any] = {
        "content": picture_id(path) * 2,
        "size": 1,
        "mtime_ns": 1,
        "width": 1,
        "height": 1,
        "taken": None,
        "captions": None,
    }
    return Stored(path=path, embedding=embedding, **(row | more))
