"""Our features as a ``_precomp`` folder, so that the official codes train on them.

The layout pairs captions and pictures by position alone: line // (captions a picture). So every
picture must have equally many captions in a language, and what goes beyond the picture with the
fewest is left out. So is a language that some picture lacks, or, where that language is asked for,
the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.feature_store import FeatureStore
from polyglance.data.files import replaced_when_complete
from polyglance.data.record import Record
from polyglance.data.region_files.precomp import SPLITS
from polyglance.data.views import feature_key
from polyglance.errors import ManifestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_THEIR_NAME = {ours: theirs for theirs, ours in SPLITS.items()}
_AT_ONCE = 128


@dataclass(slots=True)
class ExportedSplit:
    """What was written of a split.

    Attributes:
        name: as in the file names.
        shape: of the features.
        captions: BCP-47 tag → captions a picture.
        surplus: BCP-47 tag → captions left out, beyond those of the picture with the fewest.
        incomplete: BCP-47 tags left out → pictures without a caption in them.
        without_features: ids of pictures left out.
        without_captions: ids of pictures left out, for a language that was asked for.
    """

    name: str
    shape: tuple[int, ...]
    captions: dict[str, int] = field(default_factory=dict)
    surplus: dict[str, int] = field(default_factory=dict)
    incomplete: dict[str, int] = field(default_factory=dict)
    without_features: list[str] = field(default_factory=list)
    without_captions: list[str] = field(default_factory=list)


def export_precomp(
    records: Sequence[Record],
    store: FeatureStore,
    folder: Path,
    *,
    split: str,
    languages: Sequence[str] = (),
    pooled: bool = False,
) -> ExportedSplit:
    """Write ``{split}_ims.npy`` (float32), captions and ids of one split.

    Captions go to ``{split}_caps.{language}.txt`` each, and those of the first language also to
    ``{split}_caps.txt``, which VSE++ and SCAN read. ``{split}_ids.txt`` has the records' ids.

    Args:
        records: pictures and captions, in the order to write.
        store: of their features: vectors, regions (regions, channels) or grids (channels, rows,
            columns), whose cells become regions row by row.
        folder: to write into.
        split: its name; ``val`` is written as ``dev``.
        languages: those to write, the first into ``{split}_caps.txt`` too; pictures that lack one
            are left out. When empty, every language that no picture lacks.
        pooled: write the mean over the regions, (pictures, channels), instead of the regions;
            regions of zeros, which only fill up, do not count.

    Raises:
        ManifestError: no picture is left, or no language, or a file cannot be written.
    """
    name = _THEIR_NAME.get(split, split)
    stored = [record for record in records if feature_key(record) in store]
    if not stored:
        raise ManifestError(f"{store.folder} has features of none of the {len(records)} pictures")
    kept = [r for r in stored if all(r.captions.get(tag) for tag in languages)]
    if not kept:
        raise ManifestError(f"split {name}: no picture has captions in {' and '.join(languages)}")
    exported = ExportedSplit(
        name,
        (len(kept), *_row_shape(store.shape, pooled)),
        without_features=_ids(records, but=stored),
        without_captions=_ids(stored, but=kept),
    )
    captions = _even_captions(kept, languages, exported)
    try:
        for place, (tag, lines) in enumerate(captions.items()):
            _write_lines(folder / f"{name}_caps.{tag}.txt", lines)
            if place == 0:
                _write_lines(folder / f"{name}_caps.txt", lines)
        _write_lines(folder / f"{name}_ids.txt", [_one_line(record.id) for record in kept])
        _write_features(kept, store, folder / f"{name}_ims.npy", exported.shape, pooled)
    except OSError as error:
        raise ManifestError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return exported


def _ids(records: Sequence[Record], *, but: Sequence[Record]) -> list[str]:
    others = {record.id for record in but}
    return [record.id for record in records if record.id not in others]


def _row_shape(stored: tuple[int, ...], pooled: bool) -> tuple[int, ...]:
    """Of a row in the file, from that of a row of the store."""
    match stored:
        case (channels, rows, columns):
            return (channels,) if pooled else (rows * columns, channels)
        case (_, channels):
            return (channels,) if pooled else stored
        case _:
            return stored


def _as_regions(rows: NDArray[Any]) -> NDArray[Any]:
    """(n, channels, rows, columns) → (n, rows · columns, channels); the others as they are."""
    if rows.ndim != 4:
        return rows
    cells: NDArray[Any] = rows.reshape(*rows.shape[:2], -1).transpose(0, 2, 1)
    return cells  # (n, rows · columns, channels)


def _pooled(regions: NDArray[Any]) -> NDArray[Any]:
    """(n, regions, channels) → (n, channels), the mean of the regions that are not all zero."""
    if regions.ndim == 2:
        return regions
    count = regions.any(-1).sum(-1, keepdims=True)  # (n, 1)
    mean: NDArray[Any] = regions.sum(1) / count.clip(min=1)  # (n, channels)
    return mean


def _write_features(
    records: Sequence[Record],
    store: FeatureStore,
    path: Path,
    shape: tuple[int, ...],
    pooled: bool,
) -> None:
    import numpy as np

    with replaced_when_complete(path) as temporary:
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)
        for start in range(0, len(records), _AT_ONCE):
            keys = [feature_key(record) for record in records[start : start + _AT_ONCE]]
            rows = _as_regions(store.rows(keys).astype(np.float32))  # (n, …)
            array[start : start + len(keys)] = _pooled(rows) if pooled else rows
        array.flush()


def _even_captions(
    records: Sequence[Record], languages: Sequence[str], exported: ExportedSplit
) -> dict[str, list[str]]:
    """Tag → captions, equally many for each picture; what is left out is noted."""
    present = list(dict.fromkeys(tag for record in records for tag in record.captions))
    captions: dict[str, list[str]] = {}
    for tag in languages or present:
        counts = [len(record.captions.get(tag, ())) for record in records]
        each = min(counts)
        if each == 0:
            exported.incomplete[tag] = counts.count(0)
            continue
        exported.captions[tag] = each
        exported.surplus[tag] = sum(counts) - each * len(counts)
        captions[tag] = [_one_line(t) for record in records for t in record.captions[tag][:each]]
    if not captions:
        lacking = ", ".join(f"{count} lack {tag}" for tag, count in exported.incomplete.items())
        raise ManifestError(
            f"split {exported.name}: there is no language that all {len(records)} pictures have "
            f"captions in ({lacking or 'no picture has any'}); with --language, pictures that lack "
            "it are left out"
        )
    return captions


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with replaced_when_complete(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
