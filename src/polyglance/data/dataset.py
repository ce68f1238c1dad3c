"""From sampled picks to batches: decoded pixels or cached features, prepared ahead of the step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise, repeat
from typing import TYPE_CHECKING, NamedTuple, Protocol

from polyglance.data.batch import Batch
from polyglance.data.feature_store import FeatureStore
from polyglance.data.monolingual import MonolingualSampler
from polyglance.data.parallel import ParallelSampler
from polyglance.data.record import Record
from polyglance.data.sampler import CaptionSampler, Pick, SamplerState
from polyglance.data.translated import translated_side
from polyglance.data.views import View, view_number
from polyglance.errors import PictureError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from polyglance.vision.preprocessing import Preprocessing


class Pictures(NamedTuple):
    """The image side of a batch, in one piece.

    Attributes:
        indices: of the pictures that could be read, in the order asked for.
        images: (len(indices), ...) their pixels or features, in whatever type they are kept; the
            encoder converts them to the type that it computes in. Empty where none could be read.
    """

    indices: list[int]
    images: Tensor


class PictureSource(Protocol):
    """Where the image side of a batch comes from."""

    def load(self, pictures: Sequence[int], *, epoch: int = 0) -> Pictures:
        """Pixels or features of distinct pictures; those that cannot be read are left out.

        The epoch matters where pictures have several views, which take turns.
        """


class PixelSource:
    """Decodes pictures in threads, the way that indexing and serving decode them.

    Args:
        records: the dataset.
        preprocessing: of the image backbone.
        workers: threads; Pillow decodes outside the interpreter's lock.
        views: of each picture.

    Attributes:
        skipped: id of each picture that could not be read → why.
    """

    def __init__(
        self,
        records: Sequence[Record],
        *,
        preprocessing: Preprocessing,
        workers: int = 2,
        views: int = 1,
    ) -> None:
        self._records, self._preprocessing, self._views = records, preprocessing, views
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self.skipped: dict[str, str] = {}

    def load(self, pictures: Sequence[int], *, epoch: int = 0) -> Pictures:
        """(readable, 3, size, size) uint8; unreadable pictures are noted in ``skipped``."""
        import numpy as np
        import torch

        decoded = self._pool.map(self._decode, pictures, repeat(epoch))
        loaded = {
            picture: pixels
            for picture, pixels in zip(pictures, decoded, strict=True)
            if pixels is not None
        }
        images = np.stack(list(loaded.values())) if loaded else np.empty(0, np.uint8)
        return Pictures(list(loaded), torch.from_numpy(images))

    def _decode(self, picture: int, epoch: int) -> NDArray[np.uint8] | None:
        record = self._records[picture]
        try:
            view = View(record, view_number(picture, epoch, self._views))
            return view.decode(self._preprocessing)
        except PictureError as error:
            self.skipped[record.id] = str(error)
            return None


class FeatureSource:
    """Rows of a feature store, in the precision that they are stored in.

    Args:
        records: the dataset; see :func:`~polyglance.data.views.feature_key`.
        store: where the rows are.
        views: of each picture.
    """

    def __init__(self, records: Sequence[Record], *, store: FeatureStore, views: int = 1) -> None:
        self._places = [
            [store.place(View(record, number).key) for number in range(views)] for record in records
        ]
        self._views, self._store = views, store

    def load(self, pictures: Sequence[int], *, epoch: int = 0) -> Pictures:
        """(stored, ...) features; pictures without a row are left out."""
        import torch

        places = {
            picture: self._places[picture][view_number(picture, epoch, self._views)]
            for picture in pictures
        }
        stored = {picture: place for picture, place in places.items() if place is not None}
        rows = self._store.take(list(stored.values()))  # (stored, ...)
        return Pictures(list(stored), torch.from_numpy(rows))


class TensorSource:
    """Features that are in memory already.

    Args:
        features: (pictures, ...), one row a record.
    """

    def __init__(self, features: Tensor) -> None:
        self._features = features

    def load(self, pictures: Sequence[int], *, epoch: int = 0) -> Pictures:  # noqa: ARG002
        """(len(pictures), ...) their rows."""
        return Pictures(list(pictures), self._features[list(pictures)])


def assemble(
    picks: Sequence[Pick],
    source: PictureSource,
    *,
    epoch: int = 0,
    elsewhere: Collection[int] = (),
) -> Batch | None:
    """Join picks and pictures into a batch, without picks whose picture cannot be read.

    Args:
        picks: of the batch.
        source: of the pictures.
        epoch: that the batch belongs to; decides which view of a picture is shown.
        elsewhere: pictures that other processes have in the same batch.

    Returns:
        The batch, or ``None`` where not one of the pictures can be read.
    """
    import torch

    loaded = source.load(list(dict.fromkeys(pick.picture for pick in picks)), epoch=epoch)
    if not loaded.indices:
        return None
    row_of = {picture: row for row, picture in enumerate(loaded.indices)}
    kept = [pick for pick in picks if pick.picture in row_of]
    return Batch(
        images=loaded.images,  # (images, ...)
        image_ids=torch.tensor(loaded.indices),  # (images,)
        texts=[pick.caption for pick in kept],
        languages=[pick.language for pick in kept],
        text_image_ids=torch.tensor([pick.picture for pick in kept]),  # (texts,)
        also=_also(kept, {*row_of, *elsewhere}),
        translated=translated_side(kept),
    )


def _also(picks: Sequence[Pick], pictures: Collection[int]) -> Tensor | None:
    """(pairs, 2) texts that other pictures of the batch carry word for word, if there are any."""
    import torch

    pairs = [
        (row, other) for row, pick in enumerate(picks) for other in pick.also if other in pictures
    ]
    return torch.tensor(pairs) if pairs else None


def stream(
    sampler: CaptionSampler,
    source: PictureSource,
    *,
    parallel: ParallelSampler | None = None,
    monolingual: MonolingualSampler | None = None,
    ahead: int = 2,
    everywhere: Callable[[bool], bool] = bool,
    pinned: bool = False,
) -> Generator[tuple[SamplerState, Batch], None, None]:
    """Endless batches, assembled in a thread while the previous ones train.

    Args:
        sampler: from whose present state the batches start; drawing ahead does not move it.
        source: of the pictures.
        parallel: of the translations without pictures in every batch, if any.
        monolingual: of the sentences that stand alone in every batch, if any.
        ahead: batches assembled in advance.
        everywhere: whether this process has something → whether all have that train together.
        pinned: keep pictures where a GPU copies them from without waiting.

    Yields:
        The sampler's state once the batch has been trained on, and the batch; batches without a
        readable picture, in this process or in another one, are passed over.

    Raises:
        PictureError: a whole epoch has no readable picture.
    """

    def draw(place: SamplerState) -> Batch | None:
        at = place.epoch, place.step
        everybodys = sampler.global_batch(*at) if sampler.world_size > 1 else ()
        batch = assemble(
            sampler.batch(*at),
            source,
            epoch=place.epoch,
            elsewhere={pick.picture for pick in everybodys},
        )
        if batch is None:
            return None
        if pinned:
            batch = replace(batch, images=batch.images.pin_memory())
        steps_before = place.epoch * sampler.steps_per_epoch + place.step
        if parallel is not None:
            batch = replace(batch, parallel=parallel.batch(steps_before))
        if monolingual is not None:
            batch = replace(batch, monolingual=monolingual.batch(steps_before))
        return batch

    upcoming = pairwise(sampler.places())
    waiting: deque[tuple[SamplerState, Future[Batch | None]]] = deque()
    empty = 0
    with ThreadPoolExecutor(1, thread_name_prefix="assemble") as pool:
        try:
            while empty < sampler.steps_per_epoch:
                while len(waiting) <= ahead:
                    place, following = next(upcoming)
                    waiting.append((following, pool.submit(draw, place)))
                state, future = waiting.popleft()
                batch = future.result()
                empty = empty + 1 if batch is None else 0
                if everywhere(batch is not None) and batch is not None:
                    yield state, batch
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    raise PictureError(
        "not one training picture can be read; `polyglance data inspect` on the manifest says why"
    )
