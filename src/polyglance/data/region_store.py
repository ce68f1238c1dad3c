"""Region features from files into feature stores: one for the features, others beside them.

``FOLDER`` has the features, ``FOLDER/boxes`` the boxes relative to the picture and
``FOLDER/probabilities`` the detector's probabilities, where the files have them; all under the
same keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.feature_store import FeatureStore, FeatureStoreWriter, Precision
from polyglance.data.regions import Regions
from polyglance.errors import ManifestError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BOXES, PROBABILITIES = "boxes", "probabilities"
PRECOMPUTED = "precomputed:"
_AT_ONCE = 256
_SAMPLE = 4096


@dataclass(slots=True)
class StoreReport:
    """What filling the stores came to.

    Attributes:
        stored: pictures written now.
        present: pictures that were there already.
        cut: pictures with more regions than a row holds; see :meth:`Regions.first`.
        shape: of a row of features.
    """

    stored: int = 0
    present: int = 0
    cut: int = 0
    shape: tuple[int, ...] = field(default=())


def store_regions(
    pictures: Iterable[Regions], folder: Path, *, fingerprint: str, regions: int | None = None
) -> StoreReport:
    """Write regions into stores; interrupted and started again, only what lacks is written.

    Args:
        pictures: with features of one width; read once, in order.
        folder: of the stores.
        fingerprint: see :func:`sources_fingerprint`.
        regions: of a row: pictures with more lose some, those with fewer get rows of zeros.
            ``None``: as many as the first picture has.

    Raises:
        ManifestError: a picture's features are not finite or do not fit the others.
        ModelError: the folder has features of other files.
    """
    report = StoreReport()
    there = _present(folder, fingerprint)
    with ExitStack() as stack:
        writers: dict[str, FeatureStoreWriter] = {}
        for chunk in _chunks(pictures):
            report.shape = report.shape or _row_shape(chunk[0], regions)
            missing = [each for each in chunk if each.image_id not in there]
            report.present += len(chunk) - len(missing)
            if not missing:
                continue
            rows, keys = _rows(missing, report.shape), [each.image_id for each in missing]
            for name, array in rows.items():
                if name not in writers:
                    writers[name] = stack.enter_context(_writer(folder / name, fingerprint, array))
                writers[name].append(keys, array, ["precomputed"] * len(keys))
            report.stored += len(missing)
            if len(report.shape) == 2:
                report.cut += sum(len(each.features) > report.shape[0] for each in missing)
    return report


def sources_fingerprint(files: Sequence[Path]) -> str:
    """``precomputed:`` and a hex digest by which files of features are told apart.

    The network behind them is unknown and whole files can be tens of gigabytes, so the digest is
    over each file's name, size, beginning and end.

    Raises:
        ManifestError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in files:
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                first = file.read(_SAMPLE)
                file.seek(max(size - _SAMPLE, 0))
                last = file.read(_SAMPLE)
        except OSError as error:
            raise ManifestError(f"{path}: cannot be read: {error.strerror or error}") from None
        for part in (path.name.encode(), str(size).encode(), first, last):
            digest.update(hashlib.sha256(part).digest())
    return PRECOMPUTED + digest.hexdigest()[:32]


def _present(folder: Path, fingerprint: str) -> set[str]:
    """Keys whose features are stored; boxes and probabilities are written before them."""
    if not (folder / "meta.json").exists():
        return set()
    return set(FeatureStore(folder, fingerprint=fingerprint).keys)


def _chunks(pictures: Iterable[Regions]) -> Iterator[list[Regions]]:
    upcoming = iter(pictures)
    while chunk := list(islice(upcoming, _AT_ONCE)):
        yield chunk


def _row_shape(first: Regions, regions: int | None) -> tuple[int, ...]:
    shape: tuple[int, ...] = first.features.shape
    return shape if len(shape) == 1 or regions is None else (regions, shape[1])


def _rows(pictures: Sequence[Regions], shape: tuple[int, ...]) -> dict[str, NDArray[Any]]:
    """Folder below the store's → (pictures, …) rows; features last, for they complete a picture."""
    import numpy as np

    boxes = [each.relative_boxes for each in pictures]
    labels = [each.probabilities for each in pictures]
    rows: dict[str, NDArray[Any]] = {}
    if kept := [each for each in boxes if each is not None]:
        rows[BOXES] = _stacked(pictures, kept, (shape[0], 4), np.float32, "boxes")
    if kept := [each for each in labels if each is not None]:
        wide = (shape[0], kept[0].shape[1])
        rows[PROBABILITIES] = _stacked(pictures, kept, wide, np.float16, "probabilities")
    features = [each.features for each in pictures]
    rows["."] = _stacked(pictures, features, shape, np.float16, "features")
    return rows


def _stacked(
    pictures: Sequence[Regions],
    arrays: Sequence[NDArray[Any]],
    shape: tuple[int, ...],
    dtype: type[np.floating[Any]],
    what: str,
) -> NDArray[Any]:
    """(pictures, *shape): cut or filled up with zeros in the regions."""
    import numpy as np

    if len(arrays) != len(pictures):
        raise ManifestError(f"picture {pictures[0].image_id!r} and others: only some have {what}")
    rows = np.zeros((len(arrays), *shape), dtype)
    for row, (picture, array) in enumerate(zip(pictures, arrays, strict=True)):
        if array.ndim != len(shape) or array.shape[-1] != shape[-1]:
            raise ManifestError(
                f"picture {picture.image_id!r}: {what} are {array.shape}, those before {shape}"
            )
        with np.errstate(over="ignore"):
            kept = picture.first(array, shape[0])
            rows[row, : len(kept)] = kept
        if not np.isfinite(rows[row]).all():
            raise ManifestError(
                f"picture {picture.image_id!r}: {what} are not finite in {np.dtype(dtype)}"
            )
    return rows


def _writer(folder: Path, fingerprint: str, array: NDArray[Any]) -> FeatureStoreWriter:
    precision: Precision = "float32" if array.dtype.itemsize == 4 else "float16"
    return FeatureStoreWriter(
        folder, fingerprint=fingerprint, shape=array.shape[1:], dtype=precision
    )
