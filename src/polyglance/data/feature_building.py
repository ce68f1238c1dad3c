"""Fills a feature store: decode, encode, append; bad pictures are skipped and reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.ahead import decoded_batches
from polyglance.data.feature_store import (
    FeatureStore,
    FeatureStoreWriter,
    Precision,
    restamp,
)
from polyglance.data.locking import in_turn
from polyglance.data.record import Record
from polyglance.data.stamps import Look, look, same_size, stamp
from polyglance.data.views import View
from polyglance.errors import ModelError, PictureError
from polyglance.precision import inference_precision
from polyglance.progress import track

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from polyglance.data.ahead import Outcome
    from polyglance.vision.preprocessing import Preprocessing


@dataclass(slots=True)
class BuildReport:
    """What filling a store came to.

    Attributes:
        encoded: pictures encoded now.
        reused: pictures whose features were there and whose files have not changed.
        skipped: id of each picture that could not be read → why.
    """

    encoded: int = 0
    reused: int = 0
    skipped: dict[str, str] = field(default_factory=dict)


def build_feature_store(
    records: Sequence[Record],
    *,
    encode: Callable[[Tensor], Tensor],
    preprocessing: Preprocessing,
    fingerprint: str,
    folder: Path,
    dtype: Precision = "float16",
    batch_size: int = 32,
    workers: int = 2,
    views: int = 1,
    show_progress: bool = False,
) -> tuple[FeatureStore, BuildReport]:
    """Encode the pictures that a store lacks, and open it.

    Interrupted and started again, it goes on with the next batch; while another process fills the
    store, it waits. A picture whose file has changed is encoded again: told by size and time, and
    where only the time differs, as after a copy, by content.

    Args:
        records: pictures; see :class:`~polyglance.data.views.View` for their keys.
        encode: (batch, 3, size, size) uint8 → (batch, ...) features, without gradients; run in
            bfloat16 autocast where the processor is faster that way.
        preprocessing: of the backbone.
        fingerprint: of the backbone and its preprocessing.
        folder: of the store.
        dtype: on disk.
        batch_size: pictures encoded at once.
        workers: decoding threads.
        views: of each picture.
        show_progress: on standard error.

    Raises:
        ModelError: the folder holds another model's features.
        PictureError: not one picture can be read.
    """
    wanted = [View(record, number) for number in range(views) for record in records]
    report = BuildReport()
    missing = _missing(wanted, folder, fingerprint, report)
    with ExitStack() as stack:
        if missing:  # another run may be filling the store: then nothing is left afterwards
            stack.enter_context(in_turn(folder, ModelError))
            missing = _missing(wanted, folder, fingerprint, report)
            missing = _but_recognised(missing, folder, report, show_progress=show_progress)
        looks: dict[str, Look] = {}

        def decode(view: View) -> NDArray[np.uint8]:
            # before it is decoded: what changes in between is not taken for what was decoded
            looks[view.key] = look(view.record.file)
            return view.decode(preprocessing)

        advance = stack.enter_context(track("pictures", len(missing), show=show_progress))
        writer: FeatureStoreWriter | None = None
        for decoded in decoded_batches(missing, decode, batch_size=batch_size, workers=workers):
            advance(len(decoded))
            if not (batch := _readable(missing, decoded, report)):
                continue
            features = _encode(encode, [pixels for _, pixels in batch])  # (batch, ...)
            if writer is None:  # only the first features tell their shape
                writer = stack.enter_context(
                    FeatureStoreWriter(
                        folder, fingerprint=fingerprint, shape=features.shape[1:], dtype=dtype
                    )
                )
            keys = [view.key for view, _ in batch]
            stamps, digests = zip(*(looks[key] for key in keys), strict=True)
            writer.append(keys, features, stamps, digests)
            report.encoded += len(batch)
    if report.encoded + report.reused == 0:
        name, reason = next(iter(report.skipped.items()), ("", "the dataset is empty"))
        raise PictureError(f"none of {len(records)} pictures can be read; {name}: {reason}")
    return FeatureStore(folder, fingerprint=fingerprint), report


def _missing(
    views: Sequence[View], folder: Path, fingerprint: str, report: BuildReport
) -> list[View]:
    """Views without a row, or whose picture has changed since; the others are counted."""
    if not (folder / "meta.json").exists():
        return list(views)
    store = FeatureStore(folder, fingerprint=fingerprint)
    missing = [view for view in views if store.stamp(view.key) != stamp(view.record.file)]
    report.reused = len(views) - len(missing)
    return missing


def _but_recognised(
    missing: Sequence[View], folder: Path, report: BuildReport, *, show_progress: bool
) -> list[View]:
    """Views without those whose file has a new time but its old content; the store notes them."""
    if not (folder / "meta.json").exists():
        return list(missing)
    store = FeatureStore(folder)
    candidates = [view for view in missing if _may_be_the_same(view, store)]
    if not candidates:
        return list(missing)
    looks: dict[Path | None, Look] = {}  # crops of a picture share its file
    same: dict[str, str] = {}
    with track("pictures with a new date", len(candidates), show=show_progress) as advance:
        for view in candidates:
            path = view.record.file
            if path not in looks:
                looks[path] = look(path)
            if looks[path].digest == store.digest(view.key):
                same[view.key] = looks[path].stamp
            advance(1)
    if same:
        restamp(folder, same)
    others = [view for view in missing if view.key not in same]
    report.reused += len(missing) - len(others)
    return others


def _may_be_the_same(view: View, store: FeatureStore) -> bool:
    """Whether a view's file is as large as it was, and it is known what was in it."""
    before = store.stamp(view.key)
    known = before is not None and store.digest(view.key) is not None
    return known and same_size(stamp(view.record.file), before or "")


def _readable(
    views: Sequence[View], batch: Sequence[tuple[int, Outcome]], report: BuildReport
) -> list[tuple[View, NDArray[np.uint8]]]:
    """The pictures of a batch; the bad ones are reported."""
    good = []
    for row, outcome in batch:
        if isinstance(outcome, PictureError):
            report.skipped[views[row].record.id] = str(outcome)
        else:
            good.append((views[row], outcome))
    return good


def _encode(
    encode: Callable[[Tensor], Tensor], pixels: Sequence[NDArray[np.uint8]]
) -> NDArray[np.floating[Any]]:
    """(batch, 3, size, size) uint8 arrays → (batch, ...) float32."""
    import numpy as np
    import torch

    stacked = torch.from_numpy(np.stack(pixels))  # (batch, 3, size, size)
    with torch.inference_mode(), inference_precision():
        features = encode(stacked)  # (batch, ...)
    array: NDArray[np.floating[Any]] = features.float().cpu().numpy()
    return array
