"""From a published format to a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from polyglance.data.manifest import is_json_lines, write_manifest
from polyglance.data.readers import READERS, ReaderOptions
from polyglance.data.readers.common import images_folder, read_text_lines
from polyglance.data.record import Record
from polyglance.data.tar_members import exists
from polyglance.errors import ManifestError

_LINK = "images"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was written.

    Attributes:
        pictures: records in the manifest.
        captions: language tag → captions, those by machines included.
        missing: pictures that are not where the manifest says.
    """

    pictures: int
    captions: dict[str, int]
    missing: tuple[Path, ...]


def prepare_manifest(
    reader: str,
    sources: Sequence[Path],
    output: Path,
    *,
    options: ReaderOptions,
    splits: Sequence[str] = (),
    pictures: Path | None = None,
    link: bool = False,
) -> Prepared:
    """Read a published format and write a manifest, whole or not at all.

    Args:
        reader: a key of `READERS`.
        sources: files or folders of that format.
        output: the manifest, ``.jsonl`` or ``.parquet``.
        options: what the files do not say.
        splits: the splits to keep; all when empty.
        pictures: a text file with the name of a picture on each line; the others are left out.
        link: where the pictures lie outside the manifest's folder, put a link ``images`` to their
            folder beside the manifest. Nothing is copied.

    Returns:
        What was written.

    Raises:
        ManifestError: for bad input, or pictures that a manifest there cannot name.
    """
    is_json_lines(output)  # a wrong name is told before anything is read or linked
    for source in sources:
        if not source.exists():
            raise ManifestError(f"{source}: no such file or folder")
    records = list(_selected(READERS[reader](sources, options), splits, pictures))
    if not records:
        raise ManifestError(f"{sources[0]}: no picture is left after --pictures {pictures}")
    if link:
        records = list(_linked(records, images_folder(sources, options), output))
    write_manifest(records, output)
    files = [record.file for record in records if record.file is not None]
    missing = tuple(file for file in files if not exists(file))
    return Prepared(len(records), caption_counts(records), missing)


def caption_counts(records: Iterable[Record]) -> dict[str, int]:
    """Language tag → captions, those by machines included."""
    captions: dict[str, int] = {}
    for record in records:
        for tag, texts in (*record.captions.items(), *record.machine_translated.items()):
            captions[tag] = captions.get(tag, 0) + len(texts)
    return captions


def _selected(
    records: Iterable[Record], splits: Sequence[str], pictures: Path | None
) -> Iterator[Record]:
    names = None
    if pictures is not None:
        names = {line.strip() for line in read_text_lines(pictures)}
    known: set[str] = set()
    kept = False
    for record in records:
        known.add(str(record.split))
        if splits and record.split not in splits:
            continue
        kept = True
        if names is None or not names.isdisjoint(_names(record)):
            yield record
    if splits and not kept:
        wanted, found = " or ".join(splits), ", ".join(sorted(known))
        raise ManifestError(f"no picture is in split {wanted}; the splits are {found}")


def _names(record: Record) -> set[str]:
    """What a list may call a picture: its id, its file name with or without the suffix."""
    image = record.image
    return {record.id} if image is None else {record.id, image.name, image.stem}


def _linked(records: Iterable[Record], images: Path, output: Path) -> Iterator[Record]:
    root = output.parent.resolve()
    if images.is_relative_to(root):
        yield from records
        return
    link = root / _LINK
    _point(link, images)
    for record in records:
        image, video = (
            link / path.relative_to(images) if path and path.is_relative_to(images) else path
            for path in (record.image, record.video)
        )
        yield replace(record, image=image, video=video)


def _point(link: Path, images: Path) -> None:
    """Make ``link`` lead to ``images``; whatever else has its name is left alone."""
    try:
        if not link.is_symlink() and not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(images, target_is_directory=True)
            return
        leads_there = link.resolve() == images
    except OSError as error:
        raise ManifestError(f"{link}: cannot be linked: {error.strerror}") from None
    if not leads_there:
        raise ManifestError(
            f"{link}: is there already and is no link to '{images}'; "
            "choose another folder for the manifest"
        )
