"""A batch of files on its way to embeddings: read once, digested, decoded, encoded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from polyglance.data.place import Place
from polyglance.data.tar_members import open_file, open_status
from polyglance.data.video import Sampling
from polyglance.errors import PictureError
from polyglance.search.digest import digest
from polyglance.search.encoder import Encoder
from polyglance.search.parallel import batched
from polyglance.search.scan import Found

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyglance.vision.preprocessing import Preprocessing

MAX_BYTES = 1 << 30  # a picture's file is read whole, once, by each of the workers
FRAMES = Sampling(300, every=1.0)
"""Of a video: what it shows every second, and of more than five minutes 300 frames in all."""
FRAMES_AT_ONCE = 16


class Embedded(NamedTuple):
    """A picture or a video and its embeddings, (rows, dimension).

    A picture has one row; a video one for each of its ``moments``, in seconds from its start.
    """

    file: Found
    content: str
    width: int
    height: int
    taken: datetime | None
    place: Place | None
    embeddings: NDArray[np.float32]
    moments: tuple[float, ...] | None = None


class Decoded(NamedTuple):
    """A picture that waits for its embedding; ``pixels`` is (3, size, size)."""

    file: Found
    content: str
    width: int
    height: int
    taken: datetime | None
    place: Place | None
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


Outcomes = list[Embedded | Familiar | Unreadable]


def embed_files(
    files: Sequence[Found], *, encoder: Encoder, root: Path, is_familiar: Callable[[str], bool]
) -> Outcomes:
    """Take a batch of files as far as they go, in their order.

    Args:
        files: to be read.
        encoder: the model.
        root: what the files' paths are relative to.
        is_familiar: whether a content has an embedding already.
    """
    read = [
        embed_video(file, encoder=encoder, root=root, is_familiar=is_familiar)
        if file.is_video
        else _read(file, root, encoder.preprocessing, is_familiar)
        for file in files
    ]
    decoded = [each for each in read if isinstance(each, Decoded)]
    if not decoded:
        return [each for each in read if not isinstance(each, Decoded)]
    pixels = np.stack([each.pixels for each in decoded])  # (decoded, 3, size, size)
    embeddings = iter(encoder.encode_pixels(pixels))  # (decoded, dimension)
    return [
        Embedded(*each[:-1], next(embeddings)[np.newaxis]) if isinstance(each, Decoded) else each
        for each in read
    ]


def embed_video(
    file: Found, *, encoder: Encoder, root: Path, is_familiar: Callable[[str], bool]
) -> Embedded | Familiar | Unreadable:
    """Take a video as far as it goes: its frames are decoded and encoded a few at a time."""
    from polyglance.data.video import MISSING, is_readable, read_frames

    if not is_readable():
        return Unreadable(file, MISSING, for_good=False)
    try:
        with open_file(root / file.path) as handle:
            status = open_status(handle)
            file = replace(file, size=status.size, mtime_ns=status.mtime_ns)
            content = hashlib.file_digest(handle, digest).hexdigest()
            if is_familiar(content):
                return Familiar(file, content)
            handle.seek(0)
            frames = read_frames(handle, FRAMES)
            size, moments, embeddings = (0, 0), [], []
            for some in batched(frames, FRAMES_AT_ONCE):
                size = some[0].picture.size
                moments += [frame.moment for frame in some]
                pixels = np.stack([encoder.preprocessing(frame.picture) for frame in some])
                embeddings.append(encoder.encode_pixels(pixels))  # (some, dimension)
    except OSError as error:
        return Unreadable(file, f"cannot be read: {error.strerror}", for_good=False)
    except PictureError as error:
        return Unreadable(file, str(error), for_good=True)
    rows = np.concatenate(embeddings)  # (frames, dimension)
    return Embedded(file, content, *size, None, None, rows, tuple(moments))


def _read(
    file: Found, root: Path, preprocessing: Preprocessing, is_familiar: Callable[[str], bool]
) -> Decoded | Familiar | Unreadable:
    """Read a file once: digest its bytes and, unless they are familiar, decode them."""
    from polyglance.data.decode import decodable, open_picture, picture_facts

    try:
        with open_file(root / file.path) as handle:
            status = open_status(handle)
            if status.size > MAX_BYTES:
                return Unreadable(file, f"larger than {MAX_BYTES >> 30} GiB", for_good=True)
            data = handle.read()
    except OSError as error:
        return Unreadable(file, f"cannot be read: {error.strerror}", for_good=False)
    # What counts is the file as it was when it was read, not as the scan saw it.
    file = replace(file, size=status.size, mtime_ns=status.mtime_ns)
    content = digest(data).hexdigest()
    if is_familiar(content):
        return Familiar(file, content)
    try:
        data = decodable(data)
        facts = picture_facts(data)
        picture = open_picture(data, target_size=preprocessing.decode_size)
        pixels = preprocessing(picture)
    except PictureError as error:
        return Unreadable(file, str(error), for_good=True)
    taken = _local_time(facts.date)
    return Decoded(file, content, facts.width, facts.height, taken, facts.place, pixels)


def _local_time(date: str | None) -> datetime | None:
    """EXIF's date without its offset: when it was on the photographer's clock."""
    return datetime.fromisoformat(date).replace(tzinfo=None) if date else None
