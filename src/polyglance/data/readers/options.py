"""What a reader of a published format may need to be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from polyglance.data.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderOptions:
    """Facts that published files leave out. Each reader says which it uses.

    Attributes:
        images: folder with the pictures; the folder of the first source where ``None``.
        languages: BCP-47 tags. Where the files name their languages: the ones to keep (all when
            empty). Where they do not: the language of the captions, one for all sources or one
            for each.
        rename: language as the files spell it → BCP-47 tag; added to the reader's own table.
        split: the split, where the files do not name it.
        recursive: whether a folder is read with its subfolders.
    """

    images: Path | None = None
    languages: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    split: str | None = None
    recursive: bool = True


Reader = Callable[[Sequence[Path], ReaderOptions], Iterator[Record]]
"""Reads files or folders of one format. Raises `ManifestError` for anything malformed."""
