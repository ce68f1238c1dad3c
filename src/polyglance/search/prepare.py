"""From files to pixels: read, hashed and decoded in one go."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polyglance.errors import PictureError
from polyglance.search.scan import Found

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from polyglance.vision.preprocessing import Preprocessing

MAX_BYTES = 1 << 30  # a file is read whole, once, by each of the workers


class Decoded(NamedTuple):
    """A picture that waits for its embedding; ``pixels`` is (3, size, size)."""

    file: Found
    content: str
    width: int
    height: int
    taken: datetime | None
    pixels: NDArray[np.uint8]


class Familiar(NamedTuple):
    """A file whose content has an embedding already, under this or another path."""

    file: Found
    content: str


class Unreadable(NamedTuple):
    """A file that gives no picture.

    ``for_good`` says that the cause lies in its bytes; otherwise, as with a permission that is
    missing, it may be readable the next time although it has not changed.
    """

    file: Found
    reason: str
    for_good: bool


Prepared = Decoded | Familiar | Unreadable


def prepare(
    file: Found,
    *,
    root: Path,
    preprocessing: Preprocessing,
    is_familiar: Callable[[str], bool],
) -> Prepared:
    """Read a file once: digest its bytes and, unless they are familiar, decode them."""
    from polyglance.data.decode import open_picture, picture_size_and_date

    try:
        with (root / file.path).open("rb") as handle:
            status = os.fstat(handle.fileno())
            if status.st_size > MAX_BYTES:
                return Unreadable(file, f"larger than {MAX_BYTES >> 30} GiB", for_good=True)
            data = handle.read()
    except OSError as error:
        return Unreadable(file, f"cannot be read: {error.strerror}", for_good=False)
    # What counts is the file as it was when it was read, not as the scan saw it.
    file = replace(file, size=status.st_size, mtime_ns=status.st_mtime_ns)
    content = hashlib.blake2b(data, digest_size=16).hexdigest()
    if is_familiar(content):
        return Familiar(file, content)
    try:
        facts = picture_size_and_date(data)
        picture = open_picture(data, target_size=preprocessing.size)
        pixels = preprocessing(picture)
    except PictureError as error:
        return Unreadable(file, str(error), for_good=True)
    return Decoded(file, content, facts.width, facts.height, _local_time(facts.date), pixels)


def _local_time(date: str | None) -> datetime | None:
    """EXIF's date without its offset: when it was on the photographer's clock."""
    return datetime.fromisoformat(date).replace(tzinfo=None) if date else None
