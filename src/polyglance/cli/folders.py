"""Folders on the command line."""

from __future__ import annotations

from pathlib import Path


def collection_folder(text: str) -> Path:
    """The folder of a collection that is to be changed, which lies on no store."""
    from polyglance.search.location import folder_of

    return folder_of(text)
