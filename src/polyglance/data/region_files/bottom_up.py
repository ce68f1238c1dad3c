"""The TSV files of bottom-up attention (Anderson et al., CVPR 2018).

A line a picture, without a header: ``image_id``, ``image_w``, ``image_h``, ``num_boxes``,
``boxes``, ``features``; the last two are float32 in base64, (num_boxes, 4) in pixels and
(num_boxes, channels). ViLBERT's files (Lu et al., NeurIPS 2019) add ``cls_prob``, likewise.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.regions import Regions
from polyglance.errors import ManifestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMNS = ("image_id", "image_w", "image_h", "num_boxes", "boxes", "features", "cls_prob")


def read_bottom_up(path: Path) -> Iterator[Regions]:
    """Read a TSV file picture by picture; it may be larger than memory.

    Args:
        path: the file.

    Yields:
        The regions of each line.

    Raises:
        ManifestError: naming the file, the line and the column.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _regions(line.rstrip(b"\r\n").split(b"\t"), f"{path}, line {number}")
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror or error}") from None


def _regions(cells: list[bytes], where: str) -> Regions:
    if not 6 <= len(cells) <= len(_COLUMNS):
        raise ManifestError(
            f"{where}: {len(cells)} columns; bottom-up attention writes "
            f"{', '.join(_COLUMNS[:6])}, with tabs between them"
        )
    count = _number(cells, 3, where)
    return Regions(
        image_id=cells[0].decode("utf-8", "replace"),
        width=_number(cells, 1, where),
        height=_number(cells, 2, where),
        boxes=_array(cells, 4, count, where, width=4),
        features=_array(cells, 5, count, where),
        probabilities=_array(cells, 6, count, where) if len(cells) > 6 else None,
    )


def _number(cells: list[bytes], column: int, where: str) -> int:
    if not cells[column].isdigit() or int(cells[column]) == 0:
        shown = cells[column][:20].decode("utf-8", "replace")
        raise ManifestError(f"{where}, {_COLUMNS[column]}: {shown!r} is no positive whole number")
    return int(cells[column])


def _array(
    cells: list[bytes], column: int, rows: int, where: str, *, width: int | None = None
) -> NDArray[Any]:
    """(rows, width) float32 from base64."""
    import numpy as np

    place = f"{where}, {_COLUMNS[column]}"
    try:
        raw = base64.b64decode(cells[column], validate=True)
    except binascii.Error as error:
        raise ManifestError(f"{place}: not base64: {error}") from None
    wanted = rows * 4 if width is None else rows * 4 * width
    if not raw or len(raw) % wanted or (width is not None and len(raw) != wanted):
        raise ManifestError(f"{place}: {len(raw)} bytes are no float32 matrix of {rows} rows")
    return np.frombuffer(raw, "<f4").reshape(rows, -1)  # (rows, width)
