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


def decode(path: Path | None, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """A picture file → (3, size, size) uint8.

    Raises:
        PictureError: the file cannot be decoded, or the record has no picture.
    """
    from polyglance.data.decode import open_picture

    if path is None:
        raise PictureError("the record names no picture file")
    return preprocessing(open_picture(path, target_size=preprocessing.size))


def decoded_batches(
    paths: Sequence[Path | None],
    preprocessing: Preprocessing,
    *,
    batch_size: int,
    workers: int = 2,
) -> Iterator[list[tuple[int, Outcome]]]:
    """Pictures in batches, decoded one batch ahead.

    Args:
        paths: of the pictures.
        preprocessing: from a decoded picture to pixels.
        batch_size: pictures in a batch; fewer in the last.
        workers: decoding threads.

    Yields:
        Row in ``paths``, and pixels (3, size, size) uint8 or the reason why there are none.
    """

    def attempt(row: int) -> tuple[int, Outcome]:
        try:
            return row, decode(paths[row], preprocessing)
        except PictureError as error:
            return row, error

    batch: list[tuple[int, Outcome]] = []
    for outcome in ordered_ahead(attempt, range(len(paths)), workers=workers, ahead=2 * batch_size):
        batch.append(outcome)
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch
