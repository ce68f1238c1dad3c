"""Taking out of a collection what is no longer on disk, without looking for anything new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from polyglance.search.collection import Collection, File
from polyglance.search.presence import Looks, Presence
from polyglance.search.writer import open_for_removing


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What could be taken out.

    Attributes:
        files: pictures and videos in the collection.
        gone: those whose folder is there and they are not, by path.
        out_of_reach: folder → how many of its files cannot be looked for; they are kept.
    """

    files: int
    gone: list[File]
    out_of_reach: dict[Path, int]

    @property
    def most(self) -> bool:
        """Whether more than half would be taken out, as after a mistake."""
        return 2 * len(self.gone) > self.files


def survey(collection: Collection) -> Survey:
    """Look for every file of a collection; nothing is changed.

    Raises:
        CollectionError: the collection is damaged.
    """
    files, gone, out_of_reach = 0, [], Counter[Path]()
    for file, presence in Looks(collection).each():
        files += 1
        if presence is Presence.GONE:
            gone.append(file)
        elif presence is Presence.OUT_OF_REACH:
            out_of_reach[collection.absolute(file.path).parent] += 1
    gone.sort(key=lambda file: file.path)
    return Survey(files=files, gone=gone, out_of_reach=dict(sorted(out_of_reach.items())))


def prune(folder: Path, gone: Iterable[File]) -> int:
    """Take files out of the collection at ``folder``, unless they came back; returns how many.

    Args:
        folder: of the collection.
        gone: files of a :class:`Survey`.

    Raises:
        CollectionError: another process is writing, or the collection is damaged.
    """
    with open_for_removing(folder) as writer:
        looks = Looks(writer.collection)
        still = [file.id for file in gone if looks.presence(file) is Presence.GONE]
        before = writer.collection.files()
        writer.remove_pictures(still)
        writer.tidy()
        return before - writer.collection.files()
