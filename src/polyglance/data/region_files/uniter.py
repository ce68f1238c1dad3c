"""The npz files of UNITER (Chen et al., ECCV 2020): one a picture, named after it.

``features`` (regions, channels) float16, the most certain region first; ``norm_bb`` (regions, ≥4)
left, top, right, bottom and sizes, relative to the picture; ``soft_labels`` (regions, classes), the
detector's probabilities; ``conf`` (regions,), their largest.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from polyglance.data.regions import Regions
from polyglance.errors import ManifestError


def read_uniter(path: Path) -> Iterator[Regions]:
    """Read a folder of npz files in the order of their names, or one file.

    Args:
        path: the folder or the file.

    Yields:
        The regions of each file; ``image_id`` is the file's name without its suffix.

    Raises:
        ManifestError: naming the file.
    """
    files = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    if not files:
        raise ManifestError(f"{path}: no .npz file is in this folder")
    for file in files:
        yield _regions(file)


def _regions(path: Path) -> Regions:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as arrays:
            absent = {"features", "norm_bb"} - set(arrays.files)
            if absent:
                raise ManifestError(f"{path}: has no {' and no '.join(sorted(absent))}")
            features, boxes = arrays["features"], arrays["norm_bb"]
            labels = arrays["soft_labels"] if "soft_labels" in arrays.files else None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ManifestError(f"{path}: not an npz file of plain arrays: {error}") from None
    if features.ndim != 2 or boxes.ndim != 2 or boxes.shape[1] < 4:
        raise ManifestError(
            f"{path}: features are {features.shape}, norm_bb {boxes.shape}; (regions, channels) "
            "and (regions, 4 or more) are needed"
        )
    if not len(features) == len(boxes) == len(features if labels is None else labels):
        raise ManifestError(f"{path}: features, norm_bb and soft_labels differ in their regions")
    return Regions(
        image_id=path.stem,
        features=features,
        boxes=boxes[:, :4],
        probabilities=labels,
    )
