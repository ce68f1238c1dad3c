"""Copies within a collection: the same bytes, or the same picture saved in another way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyglance.errors import PictureError
from polyglance.progress import track
from polyglance.search.alike import Pairs, blocks, pairs_alike
from polyglance.search.collection import FILE_COLUMNS, FIRST_OF_A_FILE, Collection, File, file_of
from polyglance.search.perceptual_hash import BYTES, distances, perceptual_hash
from polyglance.search.schema import embeddings_of, readable

# Measured by benchmarks/duplicates.py; see docs/searching.md.
COSINE = 0.7
BITS_APART = 8

UNKNOWN = 8 * BYTES + 1  # bits that differ where one of two pictures cannot be read


DECODED = 64  # pixels: what is hashed is smaller still


class Entry(NamedTuple):
    """A file of the collection with what copies are told by."""

    file: File
    width: int
    height: int
    taken: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A file of a group, compared with the group's first.

    Attributes:
        file: as the collection has it.
        width: in pixels.
        height: in pixels.
        exact: whether it has the very bytes of the first.
        cosine: of the embeddings.
        bits: in which the perceptual hashes differ, of 64.
    """

    file: File
    width: int
    height: int
    exact: bool
    cosine: float
    bits: int


@dataclass(slots=True)
class Duplicates:
    """What :func:`find_duplicates` found.

    Attributes:
        groups: of at least two files; the first has most pixels, then most bytes.
        others: pairs near by their embeddings that are no copies: they look different, or were
            taken at different times, as the shots of a burst are.
        unreadable: (path, reason) of pictures that could not be compared.
    """

    groups: list[list[Copy]]
    others: int
    unreadable: list[tuple[str, str]]


def find_duplicates(
    collection: Collection,
    *,
    cosine: float = COSINE,
    bits: int = BITS_APART,
    near: bool = True,
    show_progress: bool = False,
) -> Duplicates:
    """Group the files of a collection that are copies of one another.

    Files with the same bytes are, videos too. Two other pictures are copies where their embeddings
    are near *and* their perceptual hashes are *and* they do not say that they were taken at
    different times. Embeddings alone would take the shots of a burst for copies: they show the
    same. A group is a picture and its copies, never a chain from one to the next.

    Args:
        collection: open for reading.
        cosine: the least that copies have.
        bits: of 64, in which the hashes of copies differ at most.
        near: whether pictures with other bytes are compared at all.
        show_progress: on stderr.

    Raises:
        CollectionError: the collection is damaged.
    """
    entries, embeddings = _load(collection)
    same = _by_content(entries)
    best_first = sorted(same, key=lambda i: _rank(entries[i]))
    looks = _Looks(collection, entries)
    stars = _Stars(len(entries))
    others = 0
    if near:
        pictures = np.array([i for i in best_first if not entries[i].file.is_video], dtype=np.intp)
        taken = _numbered([entry.taken for entry in entries])
        with track("blocks", blocks(len(pictures)), show=show_progress) as advance:
            for one, other, cosines in pairs_alike(embeddings[pictures], threshold=cosine):
                near_ones = Pairs(pictures[one], pictures[other], cosines)
                apart = looks.bits(near_ones)
                are_copies = (apart <= bits) & ~_differ(taken, near_ones)
                others += int((~are_copies & (apart < UNKNOWN)).sum())
                stars.take(_those(near_ones, are_copies), apart[are_copies])
                advance(1)
    return Duplicates(
        groups=[group for group in _groups(best_first, same, stars, entries) if len(group) > 1],
        others=others,
        unreadable=sorted(looks.unreadable),
    )


def _load(collection: Collection) -> tuple[list[Entry], NDArray[np.float32]]:
    """Every file by path, and the embedding of its first row, (files, dimension)."""
    described = [*FILE_COLUMNS, "width", "height", "taken"]
    entries: list[Entry] = []
    parts = [np.empty((0, collection.info.dimension), dtype=np.float32)]
    for batch in collection.batches([*described, "embedding"], where=FIRST_OF_A_FILE):
        rows = batch.select(described).to_pylist()
        entries += [Entry(file_of(row), row["width"], row["height"], row["taken"]) for row in rows]
        parts.append(embeddings_of(batch))
    order = sorted(range(len(entries)), key=lambda i: entries[i].file.path)
    return [entries[i] for i in order], np.concatenate(parts)[order]


def _by_content(entries: Sequence[Entry]) -> dict[int, list[int]]:
    """The first entry of each content → all that have it."""
    first: dict[str, int] = {}
    same: dict[int, list[int]] = {}
    for i, entry in enumerate(entries):
        same.setdefault(first.setdefault(entry.file.content, i), []).append(i)
    return same


class _Looks:
    """Perceptual hashes of a collection's pictures, each read when it is first asked for."""

    def __init__(self, collection: Collection, entries: Sequence[Entry]) -> None:
        self.collection = collection
        self.entries = entries
        self.unreadable: list[tuple[str, str]] = []
        self._hashes = np.zeros((len(entries), BYTES), dtype=np.uint8)
        self._asked = np.zeros(len(entries), dtype=bool)
        self._there = np.zeros(len(entries), dtype=bool)

    def bits(self, pairs: Pairs) -> NDArray[np.int64]:
        """(pairs,) in how many bits they differ; more than there are where one is unreadable."""
        places = np.union1d(pairs.one, pairs.other)
        for i in places[~self._asked[places]]:
            self._look(int(i))
        apart = distances(self._hashes[pairs.one], self._hashes[pairs.other])
        return np.where(self._there[pairs.one] & self._there[pairs.other], apart, UNKNOWN)

    def _look(self, i: int) -> None:
        from polyglance.data.decode import open_picture

        self._asked[i] = True
        path = self.entries[i].file.path
        try:
            picture = open_picture(self.collection.absolute(path), target_size=DECODED)
        except PictureError as error:
            self.unreadable.append((readable(path), str(error)))
            return
        self._hashes[i], self._there[i] = perceptual_hash(picture), True


class _Stars:
    """Each entry with the best picture that it is a copy of: the first of its group.

    Attributes:
        first: (entries,) an entry is its own, until a better one takes it.
        cosines: (entries,) with the first.
        bits: (entries,) in which they differ.
    """

    def __init__(self, entries: int) -> None:
        self.first = np.arange(entries)
        self.cosines = np.ones(entries, dtype=np.float32)
        self.bits = np.zeros(entries, dtype=np.int64)

    def take(self, copies: Pairs, bits: NDArray[np.int64]) -> None:
        """Give each first those of its copies that are in no earlier group.

        Where pictures are compared best first, all that could take one have come before it comes
        as ``one``. So no pair need be kept: of pictures that are all alike there are too many.

        Args:
            copies: of a block, in its order: ``other`` is never better than ``one``.
            bits: (pairs,) in which they differ.
        """
        bounds = np.flatnonzero(np.diff(copies.one, prepend=-1, append=-1))
        for start, end in pairwise(bounds):
            first = copies.one[start]
            if self.first[first] != first:
                continue
            others = copies.other[start:end]
            free = self.first[others] == others
            taken = others[free]
            self.first[taken] = first
            self.cosines[taken] = copies.cosines[start:end][free]
            self.bits[taken] = bits[start:end][free]


def _rank(entry: Entry) -> tuple[int, int, str]:
    """The best first: with most pixels, then with most bytes."""
    return -entry.width * entry.height, -entry.file.size, entry.file.path


def _numbered(values: Sequence[datetime | None]) -> NDArray[np.intp]:
    """A number for each, equal ones the same; -1 for none."""
    numbers: dict[datetime | None, int] = {None: -1}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.intp)


def _differ(taken: NDArray[np.intp], pairs: Pairs) -> NDArray[np.bool_]:
    """(pairs,) whether both say when they were taken, and not the same."""
    one, other = taken[pairs.one], taken[pairs.other]
    differ: NDArray[np.bool_] = (one != other) & (one >= 0) & (other >= 0)
    return differ


def _those(pairs: Pairs, wanted: NDArray[np.bool_]) -> Pairs:
    return Pairs(pairs.one[wanted], pairs.other[wanted], pairs.cosines[wanted])


def _groups(
    best_first: Sequence[int], same: dict[int, list[int]], stars: _Stars, entries: Sequence[Entry]
) -> list[list[Copy]]:
    """Each first with its copies, and with all that have the bytes of any of them."""
    groups: dict[int, list[Copy]] = {}
    for i in best_first:
        first = int(stars.first[i])
        group = groups.setdefault(first, [])
        for j in same[i]:
            file, width, height, _ = entries[j]
            group.append(
                Copy(
                    file=file,
                    width=width,
                    height=height,
                    exact=i == first,
                    cosine=float(stars.cosines[i]),
                    bits=int(stars.bits[i]),
                )
            )
    return list(groups.values())
