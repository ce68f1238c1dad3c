"""Features of the frames of videos: a matrix a file, or all of them in a BigFile.

VATEX publishes I3D features (Carreira & Zisserman, CVPR 2017) as ``{videoID}.npy``, (1, frames,
1024). The codes of NRCCR, W2VV++ and their kin read a folder: ``feature.bin``, float32 rows;
``id.txt``, the names of the rows; ``shape.txt``, how many rows of how many channels; and for
videos ``video2frames.txt``, a dictionary from a video's name to the names of its frames in order,
written as Python prints it. Without that file each row is a picture.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.regions import Regions
from polyglance.errors import ManifestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS, _NAMES, _SHAPE, _VIDEOS = "feature.bin", "id.txt", "shape.txt", "video2frames.txt"


def read_npy(path: Path) -> Iterator[Regions]:
    """Read a folder of npy files in the order of their names, or one file.

    Args:
        path: the folder or the file; an array is (frames, channels) or (1, frames, channels).

    Yields:
        The frames of each file, in order; ``image_id`` is the file's name without its suffix.

    Raises:
        ManifestError: naming the file.
    """
    import numpy as np

    files = sorted(path.glob("*.npy")) if path.is_dir() else [path]
    if not files:
        raise ManifestError(f"{path}: no .npy file is in this folder")
    for file in files:
        try:
            rows = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ManifestError(f"{file}: not an npy file of numbers: {error}") from None
        if rows.ndim == 3 and len(rows) == 1:
            rows = rows[0]  # (frames, channels)
        if rows.ndim != 2 or not rows.size:
            raise ManifestError(f"{file}: {rows.shape}; (frames, channels) is needed")
        yield Regions(image_id=file.stem, features=rows, in_time=True)


def read_bigfile(path: Path) -> Iterator[Regions]:
    """Read a BigFile; it may be larger than memory.

    Args:
        path: the folder.

    Yields:
        The frames of each video, in order; or each row as the vector of a picture.

    Raises:
        ManifestError: naming the file, where one is missing or they do not fit together.
    """
    names = _text(path / _NAMES).split()
    rows = _rows(path, names)
    place = {name: row for row, name in enumerate(names)}
    if len(place) != len(names):
        raise ManifestError(f"{path / _NAMES}: a name comes twice")
    if not (path / _VIDEOS).exists():
        for name, row in place.items():
            yield Regions(image_id=name, features=rows[row])
        return
    for video, frames in _videos(path / _VIDEOS).items():
        absent = [frame for frame in frames if frame not in place]
        if absent or not frames:
            missing = f"frame {absent[0]!r} has no row" if absent else "has no frames"
            raise ManifestError(f"{path / _VIDEOS}: video {video!r}: {missing}")
        yield Regions(image_id=video, features=rows[[place[f] for f in frames]], in_time=True)


def _rows(path: Path, names: Sequence[str]) -> NDArray[Any]:
    """(rows, channels) float32, memory-mapped."""
    import numpy as np

    told = _text(path / _SHAPE).split()
    if len(told) != 2 or not all(number.isdigit() and int(number) for number in told):
        raise ManifestError(f"{path / _SHAPE}: two whole numbers are needed, rows and channels")
    shape = int(told[0]), int(told[1])
    if shape[0] != len(names):
        raise ManifestError(f"{path / _SHAPE}: {shape[0]} rows, and {_NAMES} names {len(names)}")
    try:
        size = (path / _ROWS).stat().st_size
        if size != 4 * shape[0] * shape[1]:
            raise ManifestError(
                f"{path / _ROWS}: {size} bytes are no float32 matrix of {told[0]} × {told[1]}"
            )
        return np.memmap(path / _ROWS, dtype="<f4", mode="r", shape=shape)
    except OSError as error:
        raise ManifestError(f"{path / _ROWS}: cannot be read: {error.strerror}") from None


def _videos(path: Path) -> Mapping[str, Sequence[str]]:
    """A literal is parsed and nothing in it is run."""
    try:
        found = ast.literal_eval(_text(path))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ManifestError(f"{path}: not a dictionary as Python prints it") from None
    if not isinstance(found, dict) or not all(isinstance(v, list) for v in found.values()):
        raise ManifestError(f"{path}: a dictionary of lists is needed")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ManifestError(f"{path}: cannot be read: {reason}") from None
