"""A store of region features, read together with the boxes and probabilities beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyglance.data.feature_store import FeatureStore
from polyglance.data.region_store import BOXES, PROBABILITIES
from polyglance.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOX = 4  # left, top, right, bottom


class DescribedStore(FeatureStore):
    """Rows (regions, channels + 4 + classes): features, box and class probabilities joined.

    All of it is in the number format of the features; in half precision a box is off by less than
    a two-thousandth of the picture's side. A box that is not stored is zero. Where nothing is to be
    joined, the rows are those of the plain store.

    Args:
        folder: of the store of features; see :mod:`polyglance.data.region_store`.
        classes: how many probabilities a region must have; ``None`` leaves them where they are.

    Attributes:
        features_shape: of a row without what is joined to it.

    Raises:
        ModelError: no store is there, the stores beside it are of other files or have rows of
            another size, or there are no probabilities of so many classes.
    """

    def __init__(self, folder: Path, *, classes: int | None = None) -> None:
        super().__init__(folder)
        self.features_shape = self.shape
        self._boxes = _Beside(self, BOXES, BOX) if _is_store(folder / BOXES) else None
        self._probabilities: _Beside | None = None
        if classes is not None:
            if not _is_store(folder / PROBABILITIES):
                raise ModelError(
                    f"{folder} has no class probabilities, and the model wants {classes} a region; "
                    "leave out the task that learns them (mrc), or prepare files that have them"
                )
            self._probabilities = _Beside(self, PROBABILITIES, classes)
        self._joins = self._boxes is not None or classes is not None
        if self._joins:
            regions, channels = self.features_shape
            self.shape = (regions, channels + BOX + (classes or 0))

    def take(self, places: Sequence[int]) -> NDArray[Any]:
        """(len(places), *shape), a copy in the order asked for."""
        import numpy as np

        rows = super().take(places)  # (len(places), *features_shape)
        if not self._joins:
            return rows
        boxes = np.zeros((*rows.shape[:2], BOX), self.dtype)
        if self._boxes is not None:
            boxes = self._boxes.take(places)
        parts = [rows, boxes]
        if self._probabilities is not None:
            parts.append(self._probabilities.take(places))
        joined: NDArray[Any] = np.concatenate(parts, axis=2, dtype=self.dtype)
        return joined


class _Beside:
    """A store beside the features, whose rows may be in another order, or lack some.

    Args:
        features: beside which it is.
        name: of its folder.
        width: of a region in it.

    Raises:
        ModelError: it is of other files, or its rows have another size.
    """

    def __init__(self, features: FeatureStore, name: str, width: int) -> None:
        import numpy as np

        self._store = FeatureStore(features.folder / name, fingerprint=features.fingerprint)
        expected = (*features.shape[:-1], width)
        if self._store.shape != expected:
            here, wanted = (" × ".join(map(str, s)) for s in (self._store.shape, expected))
            raise ModelError(
                f"{self._store.folder}: a row is {here}, and the model reads {wanted}; set "
                "model.image.backbone.classes to what the store has, or prepare it anew"
            )
        place_of = {
            place: self._store.place(key)
            for key in features.keys
            if (place := features.place(key)) is not None
        }
        self._places = np.full(1 + max(place_of, default=-1), -1, np.intp)  # of the features → here
        for place, other in place_of.items():
            self._places[place] = -1 if other is None else other

    def take(self, places: Sequence[int]) -> NDArray[Any]:
        """(len(places), regions, width), zeros where there is no row."""
        import numpy as np

        here = self._places[np.asarray(places, np.intp)]  # (len(places),)
        rows: NDArray[Any] = np.zeros((len(places), *self._store.shape), self._store.dtype)
        rows[here >= 0] = self._store.take(here[here >= 0].tolist())
        return rows


def _is_store(folder: Path) -> bool:
    return (folder / "meta.json").is_file()
