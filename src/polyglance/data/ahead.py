"""Work done by threads ahead of its consumer: decoding that overlaps encoding."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from polyglance.errors import PictureError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from polyglance.vision.preprocessing import Preprocessing

    Outcome = NDArray[np.uint8] | PictureError

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    ahead: int,
    initializer: Callable[[], None] | None = None,
) -> Generator[Result]:
    """``map`` by several threads that are at most ``ahead`` items in front of the consumer.

    Leaving the iteration early drops what has not been started. ``initializer`` is called once in
    each of the threads.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="ahead", initializer=initializer) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def decode(
    path: Path | None,
    preprocessing: Preprocessing,
    *,
    frame: Callable[[Image], Image] | None = None,
) -> NDArray[np.uint8]:
    """A picture file → what a system is given of it.

    Args:
        path: of the file.
        preprocessing: from a decoded picture to pixels.
        frame: cuts something out of the picture before.

    Returns:
        As :meth:`~polyglance.vision.preprocessing.Preprocessing.clip`, uint8.

    Raises:
        PictureError: the file cannot be decoded, or the record has no picture.
    """
    from polyglance.data.decode import open_picture

    if path is None:
        raise PictureError("the record names no picture file")
    size = preprocessing.decode_size
    if frame is None:
        return preprocessing.clip([open_picture(path, target_size=size)])
    # What is cut out is enlarged, so the file must not be decoded too small.
    return preprocessing.clip([frame(open_picture(path, target_size=size and 2 * size))])


def decode_video(
    path: Path,
    preprocessing: Preprocessing,
    *,
    frame: Callable[[Image], Image] | None = None,
) -> NDArray[np.uint8]:
    """A video file → what a system is given of it; arguments and result as of :func:`decode`.

    Raises:
        PictureError: the file cannot be decoded.
    """
    from polyglance.data.video import Sampling, read_frames

    shown = (each.picture for each in read_frames(path, Sampling(preprocessing.frames)))
    return preprocessing.clip(each if frame is None else frame(each) for each in shown)


def decoded_batches(
    items: Sequence[Item],
    decode: Callable[[Item], NDArray[np.uint8]],
    *,
    batch_size: int,
    workers: int = 2,
) -> Iterator[list[tuple[int, Outcome]]]:
    """Pictures in batches, decoded one batch ahead.

    Args:
        items: that tell the pictures.
        decode: one of them → pixels; a ``PictureError`` becomes its outcome.
        batch_size: pictures in a batch; fewer in the last.
        workers: decoding threads.

    Yields:
        Row in ``items``, and pixels (3, size, size) uint8 or the reason why there are none.
    """

    def attempt(row: int) -> tuple[int, Outcome]:
        try:
            return row, decode(items[row])
        except PictureError as error:
            return row, error

    batch: list[tuple[int, Outcome]] = []
    for outcome in ordered_ahead(attempt, range(len(items)), workers=workers, ahead=2 * batch_size):
        batch.append(outcome)
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch
