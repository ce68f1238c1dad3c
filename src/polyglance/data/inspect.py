"""What a dataset holds and what is wrong with it: counts, lengths, missing files, copies, leaks."""

from __future__ import annotations

import statistics
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from polyglance.data.language import writes_spaces
from polyglance.data.manifest import read_manifest
from polyglance.data.record import Record
from polyglance.data.stamps import digest
from polyglance.data.tar_members import exists, file_status
from polyglance.errors import PictureError

_T = TypeVar("_T")
_K = TypeVar("_K", bound=Hashable)

_PUNCTUATION = " .,;:!?¡¿…。，、！？؟،।\"'«»„“”"


@dataclass(frozen=True, slots=True)
class Spread:
    """Smallest, middle and largest of some lengths."""

    minimum: int
    median: float
    maximum: int


@dataclass(frozen=True, slots=True)
class LanguageCounts:
    """The captions of one split in one language.

    Attributes:
        pictures: that have a caption in this language.
        captions: all of them.
        repeated: captions that their own picture has already.
        characters: lengths in Unicode code points.
        words: lengths in words; ``None`` in scripts that put no spaces between words.
    """

    pictures: int
    captions: int
    repeated: int
    characters: Spread
    words: Spread | None


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """One split.

    Attributes:
        pictures: records, whether they have a picture, a video or features.
        without_captions: records that have no caption written by people.
        captions: by language.
        machine_translated: by language and engine.
        parallel: sentences by language.
    """

    pictures: int
    without_captions: int
    captions: dict[str, LanguageCounts]
    machine_translated: dict[str, LanguageCounts]
    parallel: dict[str, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture stands: its split and its id there."""

    split: str
    id: str


@dataclass(frozen=True, slots=True)
class CaptionOverlap:
    """Captions of one language that several pictures have.

    Captions are the same when they differ at most in case, in spaces and in closing punctuation.

    Attributes:
        several_pictures: distinct captions that describe more than one picture.
        several_splits: distinct captions that occur in more than one split.
        examples: the captions that most pictures share, with the number of pictures.
    """

    several_pictures: int
    several_splits: int
    examples: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What `inspect_records` found.

    Attributes:
        splits: by name.
        missing: records whose file is not there, with its path.
        unreadable: records whose picture cannot be opened, with the reason; the header is read,
            so that a picture cut short is not noticed.
        duplicates: groups of records whose files have the very same bytes, within one split.
        leaks: groups of records with the same bytes in more than one split, or, where a file is
            not there to compare, with the same id. Copies that were saved anew are not found.
        overlaps: by language.
    """

    splits: dict[str, SplitCounts]
    missing: list[tuple[Place, str]]
    unreadable: list[tuple[Place, str]]
    duplicates: list[list[Place]]
    leaks: list[list[Place]]
    overlaps: dict[str, CaptionOverlap]

    def to_json(self) -> dict[str, Any]:
        """Return plain dicts, lists, strings and numbers."""
        return asdict(self)


def inspect_manifests(
    paths: Sequence[Path], advance: Callable[[int], None] = lambda _count: None
) -> Inspection:
    """Inspect one manifest by the splits that its records name, or several, each a split.

    Args:
        paths: manifests.
        advance: called with the number of pictures that were looked at since the last call.

    Raises:
        ManifestError: where a manifest cannot be read.
    """
    return inspect_records(splits_of_manifests(paths), advance)


def splits_of_manifests(paths: Sequence[Path]) -> dict[str, list[Record]]:
    """Read manifests and sort their records into splits.

    The records of a single manifest are sorted by the split that they name, or by the file's name
    where they name none. Of several manifests each is one split, named by the file.
    """
    splits: dict[str, list[Record]] = defaultdict(list)
    stems = [path.stem for path in paths]
    for path in paths:
        name = path.stem if stems.count(path.stem) == 1 else str(path)
        for record in read_manifest(path):
            splits[(record.split or name) if len(paths) == 1 else name].append(record)
    return dict(splits)


def inspect_records(
    splits: Mapping[str, Sequence[Record]], advance: Callable[[int], None] = lambda _count: None
) -> Inspection:
    """Inspect records by split.

    Args:
        splits: name → records.
        advance: called with the number of pictures that were looked at since the last call.

    Returns:
        Everything found; nothing raises for a bad picture.
    """
    files, missing, unreadable = _look_at_files(splits, advance)
    copies = list(_copies(files))
    return Inspection(
        splits={name: _split_counts(records) for name, records in splits.items()},
        missing=missing,
        unreadable=unreadable,
        duplicates=[places for places in copies if len(_splits(places)) == 1],
        leaks=[places for places in copies if len(_splits(places)) > 1]
        + _same_ids(splits, {place for place, _ in files}),
        overlaps=_overlaps(splits),
    )


def _places(splits: Mapping[str, Sequence[Record]]) -> Iterator[tuple[Place, Record]]:
    for name, records in splits.items():
        for record in records:
            yield Place(name, record.id), record


def _splits(places: Sequence[Place]) -> set[str]:
    return {place.split for place in places}


def _same_ids(splits: Mapping[str, Sequence[Record]], compared: set[Place]) -> list[list[Place]]:
    """Groups with one id in several splits, but for those whose files have all been compared."""
    by_id = _grouped((place.id, place) for place, _ in _places(splits))
    return [places for places in by_id.values() if len(places) > 1 and not compared >= set(places)]


def _look_at_files(
    splits: Mapping[str, Sequence[Record]], advance: Callable[[int], None]
) -> tuple[list[tuple[Place, Path]], list[tuple[Place, str]], list[tuple[Place, str]]]:
    """The files that are there, those that are not, and the pictures that cannot be opened."""
    from polyglance.data.decode import picture_facts

    files: list[tuple[Place, Path]] = []
    missing: list[tuple[Place, str]] = []
    unreadable: list[tuple[Place, str]] = []
    for place, record in _places(splits):
        path = record.image or record.video
        if path is None:
            continue
        if not exists(path):
            missing.append((place, str(path)))
        else:
            files.append((place, path))
            if record.image is not None:
                try:
                    picture_facts(path)
                except PictureError as error:
                    unreadable.append((place, str(error)))
        advance(1)
    return files, missing, unreadable


def _copies(files: Sequence[tuple[Place, Path]]) -> Iterator[list[Place]]:
    """Groups of places with files of the same bytes; only files of the same size are read."""
    looked = [(file_status(path), (place, path)) for place, path in files]
    by_size = _grouped((seen.size, file) for seen, file in looked if seen.is_regular)
    for same_size in by_size.values():
        if len(same_size) > 1:
            # what cannot be read equals nothing: it goes by its name
            by_content = _grouped((digest(path) or str(path), place) for place, path in same_size)
            yield from (places for places in by_content.values() if len(places) > 1)


def _split_counts(records: Sequence[Record]) -> SplitCounts:
    return SplitCounts(
        pictures=len(records),
        without_captions=sum(not record.captions for record in records),
        captions=_by_language([record.captions for record in records]),
        machine_translated=_by_language([record.machine_translated for record in records]),
        parallel={
            tag: len(sentences)
            for tag, sentences in _grouped(
                pair for record in records for pair in record.parallel.items()
            ).items()
        },
    )


def _by_language(captions: Sequence[Mapping[str, tuple[str, ...]]]) -> dict[str, LanguageCounts]:
    by_language = _grouped(pair for languages in captions for pair in languages.items())
    return {tag: _language_counts(tag, pictures) for tag, pictures in by_language.items()}


def _language_counts(tag: str, pictures: Sequence[tuple[str, ...]]) -> LanguageCounts:
    captions = [caption for texts in pictures for caption in texts]
    spaced = writes_spaces(tag)
    return LanguageCounts(
        pictures=len(pictures),
        captions=len(captions),
        repeated=sum(len(texts) - len({_folded(text) for text in texts}) for texts in pictures),
        characters=_spread([len(caption) for caption in captions]),
        words=_spread([len(caption.split()) for caption in captions]) if spaced else None,
    )


def _spread(lengths: Sequence[int]) -> Spread:
    return Spread(min(lengths), statistics.median(lengths), max(lengths))


def _overlaps(splits: Mapping[str, Sequence[Record]]) -> dict[str, CaptionOverlap]:
    """Captions by people that several pictures share, by language."""
    places: dict[str, dict[str, set[Place]]] = defaultdict(lambda: defaultdict(set))
    wording: dict[tuple[str, str], str] = {}
    for place, record in _places(splits):
        for tag, captions in record.captions.items():
            for caption in captions:
                folded = _folded(caption)
                places[tag][folded].add(place)
                wording.setdefault((tag, folded), caption)
    return {
        tag: _overlap([(wording[tag, folded], where) for folded, where in captions.items()])
        for tag, captions in places.items()
    }


def _overlap(captions: Sequence[tuple[str, set[Place]]]) -> CaptionOverlap:
    counts = [(caption, len({place.id for place in where})) for caption, where in captions]
    shared = [(caption, pictures) for caption, pictures in counts if pictures > 1]
    return CaptionOverlap(
        several_pictures=len(shared),
        several_splits=sum(len({place.split for place in where}) > 1 for _, where in captions),
        examples=sorted(shared, key=lambda pair: -pair[1])[:5],
    )


def _folded(caption: str) -> str:
    folded = unicodedata.normalize("NFKC", caption).casefold()
    return " ".join(folded.split()).strip(_PUNCTUATION)


def _grouped(pairs: Iterable[tuple[_K, _T]]) -> dict[_K, list[_T]]:
    groups: dict[_K, list[_T]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
