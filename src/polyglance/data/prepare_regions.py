"""From published region features to a manifest and the feature store that its records name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from polyglance.data.manifest import is_json_lines, read_manifest, write_manifest
from polyglance.data.prepare import Prepared, caption_counts
from polyglance.data.readers.options import ReaderOptions
from polyglance.data.record import Record
from polyglance.data.region_files import REGION_READERS
from polyglance.data.region_files.precomp import read_precomp
from polyglance.data.region_store import StoreReport, sources_fingerprint, store_regions
from polyglance.data.regions import Regions
from polyglance.errors import ManifestError

REGIONS = 36
"""Of a picture, in the files that everybody uses."""


class PreparedRegions(NamedTuple):
    """What was written: the manifest, and the store."""

    manifest: Prepared
    store: StoreReport


def prepare_precomp(
    folders: Sequence[Path],
    output: Path,
    store: Path,
    *,
    options: ReaderOptions,
    splits: Sequence[str] = (),
) -> PreparedRegions:
    """``_precomp`` folders to a manifest with captions and a store.

    Args:
        folders: read one after the other.
        output: the manifest, ``.jsonl`` or ``.parquet``.
        store: folder of the feature store.
        options: see :func:`~polyglance.data.region_files.precomp.read_precomp`.
        splits: the splits to keep, ``val`` for ``dev``; all when empty.

    Raises:
        ManifestError: for bad input, or pictures of the same name.
        ModelError: the store has features of other files.
    """
    is_json_lines(output)
    found = [split for folder in folders for split in read_precomp(folder, options)]
    kept = [split for split in found if not splits or split.name in splits]
    if not kept:
        raise ManifestError(
            f"{folders[0]}: no split is {' or '.join(splits)}; the splits are "
            f"{', '.join(split.name for split in found)}"
        )
    if len({split.features.shape[1:] for split in kept}) > 1:
        told = ", ".join(f"{split.path} {split.features.shape[1:]}" for split in kept)
        raise ManifestError(f"features of different shapes: {told}")
    records = [record for split in kept for record in split.records()]
    _refuse_doubles(records, folders[0])
    report = store_regions(
        chain.from_iterable(split.regions() for split in kept),
        store,
        # over all splits: prepared one after the other, they go into one store
        fingerprint=sources_fingerprint([split.path for split in found]),
    )
    write_manifest(records, output)
    return PreparedRegions(Prepared(len(records), caption_counts(records), ()), report)


def prepare_regions(
    format_: str,
    sources: Sequence[Path],
    output: Path,
    store: Path,
    *,
    captions: Path | None = None,
    regions: int = REGIONS,
) -> PreparedRegions:
    """Files of regions alone to a store and a manifest.

    Args:
        format_: a key of `REGION_READERS`.
        sources: files or folders of that format.
        output: the manifest, ``.jsonl`` or ``.parquet``.
        store: folder of the feature store.
        captions: a manifest of the same pictures, whose captions, ids and splits are taken over;
            pictures of either side alone are left out. Pictures are recognised by their file name,
            or by the number at its end (as in ``COCO_val2014_000000000042.jpg``).
        regions: kept of each picture, the first of the file.

    Raises:
        ManifestError: for bad input, or where no picture of ``captions`` has regions.
        ModelError: the store has features of other files.
    """
    is_json_lines(output)
    known = None if captions is None else _Names(read_manifest(captions))
    records: dict[str, Record] = {}

    def wanted() -> Iterator[Regions]:
        for source in sources:
            for each in REGION_READERS[format_](source):
                record = _bare(each.image_id) if known is None else known.record(each.image_id)
                if record is not None and record.id not in records:
                    records[record.id] = replace(record, features=each.image_id)
                    yield each

    files = list(chain.from_iterable(_files(source) for source in sources))
    report = store_regions(wanted(), store, fingerprint=sources_fingerprint(files), regions=regions)
    if not records:
        raise ManifestError(f"{sources[0]}: not one of its pictures is in {captions}")
    write_manifest(records.values(), output)
    counts = caption_counts(records.values())
    return PreparedRegions(Prepared(len(records), counts, ()), report)


class _Names:
    """Finds the record of a picture by what a file of features calls it."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._by_id: dict[str, Record] = {}
        # A file's name, or the number at its end, that two pictures share recognises neither.
        self._by_name: dict[str, Record | None] = {}
        self._by_number: dict[int, Record | None] = {}
        for record in records:
            self._by_id[record.id] = record
            stem = record.id if record.image is None else record.image.stem
            for name in {stem} | ({record.image.name} if record.image else set()):
                self._by_name[name] = record if name not in self._by_name else None
            if (number := _number(stem)) is not None:
                self._by_number[number] = record if number not in self._by_number else None

    def record(self, name: str) -> Record | None:
        """The record, or ``None``."""
        if name in self._by_id:
            return self._by_id[name]
        if name in self._by_name:
            return self._by_name[name]
        number = _number(name)
        return None if number is None else self._by_number.get(number)


def _number(name: str) -> int | None:
    match = re.search(r"(\d+)$", name)
    return int(match[1]) if match else None


def _bare(name: str) -> Record:
    return Record(id=name, features=name)


def _files(source: Path) -> list[Path]:
    if not source.exists():
        raise ManifestError(f"{source}: no such file or folder")
    return (
        sorted(path for path in source.iterdir() if path.is_file()) if source.is_dir() else [source]
    )


def _refuse_doubles(records: Sequence[Record], folder: Path) -> None:
    """Tell before hours of copying what writing the manifest would tell after them."""
    seen: dict[str, Record] = {}
    for record in records:
        other = seen.setdefault(record.id, record)
        if other is not record:
            raise ManifestError(
                f"{folder}: picture {record.id!r} comes twice, in split {other.split} and in "
                f"split {record.split}; prepare them apart, one with --split {record.split}"
            )
